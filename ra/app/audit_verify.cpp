#include "ra/app/audit_verify.h"

#include <boost/json.hpp>
#include <charconv>
#include <istream>
#include <map>
#include <regex>

#include "ra/app/audit_chain.h"
#include "ra/asn1/der_reader.h"
#include "ra/base/secret.h"

namespace ra::app {

namespace {

namespace json = boost::json;

std::optional<crypto::Sha256> parse_mac(std::string_view hex) {
    crypto::Sha256 mac{};
    if (hex.size() != 2 * mac.size()) return std::nullopt;
    for (std::size_t i = 0; i < mac.size(); ++i) {
        unsigned value = 0;
        for (const char c : hex.substr(2 * i, 2)) {
            const bool digit = c >= '0' && c <= '9';
            if (!digit && (c < 'a' || c > 'f')) return std::nullopt;
            value = value * 16 + static_cast<unsigned>(digit ? c - '0' : c - 'a' + 10);
        }
        mac[i] = static_cast<std::uint8_t>(value);
    }
    return mac;
}

Bytes parse_hex(std::string_view hex) {
    Bytes octets;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        unsigned value = 0;
        const char* const begin = hex.data() + i;
        if (std::from_chars(begin, begin + 2, value, 16).ptr != begin + 2) return {};
        octets.push_back(static_cast<std::uint8_t>(value));
    }
    return octets;
}

/// `signature`: AlgorithmIdentifier and signature in hexadecimal, a dot between.
bool is_signed_by(const crypto::Certificate& signer, const std::string& text,
                  const std::string& signature) {
    const auto dot = signature.find('.');
    if (dot == std::string::npos) return false;
    const Bytes algorithm = parse_hex(signature.substr(0, dot));
    const Bytes octets = parse_hex(signature.substr(dot + 1));
    asn1::DerReader outer{algorithm};
    const auto content = outer.read(asn1::Tag::sequence, "algorithm");
    if (!content) return false;
    asn1::DerReader reader{*content};
    const auto oid = reader.read(asn1::Tag::oid, "algorithm");
    if (!oid) return false;
    return signer.key()
        .verify({algorithm, *oid, reader.rest()}, octets, as_bytes(text))
        .has_value();
}

std::string text_of(const json::object& object, std::string_view name) {
    const json::value* const value = object.if_contains({name.data(), name.size()});
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string{};
}

std::uint64_t number_of(const json::object& object, std::string_view name) {
    const json::value* const value = object.if_contains({name.data(), name.size()});
    return value != nullptr && value->is_int64() && value->as_int64() >= 0
               ? static_cast<std::uint64_t>(value->as_int64())
               : 0;
}

class Verifier {
public:
    explicit Verifier(const VerifyWith& with) : with_{with} {}

    Verdict run(std::istream& trail) {
        std::string line;
        while (std::getline(trail, line)) {
            ++at_;
            const bool is_whole = !trail.eof();
            take(line, is_whole);
        }
        // A crash leaves no line break behind half a line.
        if (half_ != 0 && !cut_) fault("it is no line of a trail");
        compare();
        judge_foreign();
        return std::move(verdict_);
    }

private:
    void fault(const std::string& what) {
        verdict_.faults.push_back("line " + std::to_string(at_) + ": " + what);
        good_ = false;
    }

    void take(const std::string& line, bool is_whole) {
        if (line.empty()) return;
        const std::string_view body = body_of_line(line);
        boost::system::error_code error;
        const json::value value = json::parse(json::string_view{line.data(), line.size()}, error);
        if (body.empty() || error || !value.is_object()) {
            // A crash leaves half a line, and the next start begins a new one.
            half_ = at_;
            cut_ = !is_whole;
            if (!is_whole) verdict_.warnings.push_back("the last line is incomplete: a crash?");
            return;
        }
        const json::object& object = value.as_object();
        const std::string kind = text_of(object, "kind");
        const bool begins = kind == "begin";
        if (half_ != 0 && !begins) {
            fault("the line before is no line of a trail");
        } else if (half_ != 0) {
            verdict_.warnings.push_back("line " + std::to_string(half_) +
                                        " is incomplete, and the trail begins anew: a crash?");
        }
        half_ = 0;
        begins ? begin(object) : check_number(object);
        check_mac(body, line);
        ++verdict_.lines;
        if (kind == "checkpoint") check_checkpoint(object);
        seen_[{boot_, number_}] = {std::string(mac_of_line(line)), at_};
    }

    void begin(const json::object& object) {
        const std::string previous = text_of(object, "previous");
        if (!last_mac_.empty() && previous != last_mac_)
            fault("the trail begins anew, but not after the line before: lines are missing");
        if (last_mac_.empty() && !previous.empty() && verdict_.lines == 0)
            verdict_.warnings.push_back("it goes on from an earlier file, whose last MAC was " +
                                        previous);
        const std::string boot = text_of(object, "boot");
        const std::uint64_t number = number_of(object, "seq");
        if (boot == boot_ && number != number_ + 1) fault("its number is not the next one");
        if (boot != boot_) {
            ++verdict_.boots;
            if (number != 1)
                verdict_.warnings.push_back("the first lines of boot " + boot +
                                            " are in an earlier file");
        }
        boot_ = boot;
        node_ = text_of(object, "node");
        number_ = number;
        mac_ = crypto::Sha256{};
        good_ = good_ && verdict_.faults.empty();
    }

    void check_number(const json::object& object) {
        const std::uint64_t number = number_of(object, "seq");
        if (verdict_.lines == 0) {
            fault("a trail begins with a line of kind \"begin\": what was before is missing");
            mac_ = std::nullopt;
            boot_ = text_of(object, "boot");
            node_ = text_of(object, "node");
            verdict_.boots = 1;
        } else if (number != number_ + 1 || text_of(object, "boot") != boot_) {
            fault("it is number " + std::to_string(number) + ", after " + std::to_string(number_) +
                  ": lines are missing, or were moved");
        }
        number_ = number;
    }

    void check_mac(std::string_view body, const std::string& line) {
        const auto said = parse_mac(mac_of_line(line));
        if (!said) {
            fault("its MAC is no MAC");
        } else if (mac_) {
            const crypto::Sha256 right = crypto::hmac_sha256(with_.key, *mac_, as_bytes(body));
            if (!equal_secret(right, *said))
                fault("its MAC is wrong: changed, or not after the line before");
        }
        mac_ = said;
        last_mac_ = std::string(mac_of_line(line));
    }

    void check_checkpoint(const json::object& object) {
        const Checkpoint here{node_, boot_, number_of(object, "of"), text_of(object, "of_mac"),
                              text_of(object, "signature")};
        const auto of = seen_.find({here.boot, here.number});
        if (of != seen_.end() && of->second.mac != here.mac)
            return fault("it is a checkpoint of another line " + std::to_string(here.number));
        if (!holds(here)) {
            foreign_.push_back(
                {"line " + std::to_string(at_) + ": the signature of the checkpoint is wrong",
                 at_});
            return;
        }
        vouch(here, at_, "a checkpoint in the trail");
    }

    /// Whether its signature holds, where that can be known.
    bool holds(const Checkpoint& point) const {
        if (with_.signers.empty()) return true;
        const std::string text = checkpoint_text(point.node, point.boot, point.number, point.mac);
        return std::ranges::any_of(with_.signers, [&](const crypto::CertificatePtr& signer) {
            return is_signed_by(*signer, text, point.signature);
        });
    }

    /// `at`: the line of the file up to which all is covered by it.
    void vouch(const Checkpoint& point, std::uint64_t at, std::string_view what) {
        if (!good_) return;
        signed_at_ = std::max(signed_at_, at);
        verdict_.vouched = "line " + std::to_string(point.number) + " of boot " + point.boot +
                           " (" + std::string(what) + (with_.signers.empty() ? ")" : ", signed)");
    }

    /// What stands elsewhere must stand here.
    void compare() {
        for (const Checkpoint& point : with_.checkpoints) {
            const auto of = seen_.find({point.boot, point.number});
            if (of == seen_.end()) {
                verdict_.faults.push_back("line " + std::to_string(point.number) + " of boot " +
                                          point.boot + " was written and is not here: cut off");
            } else if (of->second.mac != point.mac) {
                verdict_.faults.push_back("line " + std::to_string(point.number) + " of boot " +
                                          point.boot + " is not the one that was written");
            } else if (holds(point)) {
                vouch(point, of->second.at, "a checkpoint in the log");
            } else {
                foreign_.push_back({"the log has a checkpoint with a wrong signature: line " +
                                        std::to_string(point.number) + " of boot " + point.boot,
                                    of->second.at});
            }
        }
    }

    /// Checkpoints no known key signed: a key that was renewed since, where a later one vouches for
    /// their lines and so for them.
    void judge_foreign() {
        for (Foreign& one : foreign_) {
            if (one.at > signed_at_) verdict_.faults.push_back(std::move(one.fault));
        }
    }

    struct Seen {
        std::string mac;
        std::uint64_t at;  // line of the file
    };
    struct Foreign {
        std::string fault;
        std::uint64_t at;
    };

    const VerifyWith& with_;
    Verdict verdict_;
    std::uint64_t at_ = 0, half_ = 0, number_ = 0;
    bool good_ = true;
    bool cut_ = false;
    std::string node_, boot_, last_mac_;
    std::optional<crypto::Sha256> mac_{crypto::Sha256{}};
    std::uint64_t signed_at_ = 0;
    std::vector<Foreign> foreign_;
    std::map<std::pair<std::string, std::uint64_t>, Seen> seen_;
};

}  // namespace

std::vector<Checkpoint> checkpoints_in(std::istream& log) {
    static const std::regex kField{R"re("?(node|boot|seq|mac|signature)"?[=:]"?([^\s",}]*))re"};
    std::vector<Checkpoint> found;
    for (std::string line; std::getline(log, line);) {
        if (line.find("audit_checkpoint") == std::string::npos) continue;
        Checkpoint point;
        for (std::sregex_iterator match{line.begin(), line.end(), kField}, end; match != end;
             ++match) {
            const std::string name = (*match)[1];
            const std::string value = (*match)[2];
            if (name == "node") point.node = value;
            if (name == "boot") point.boot = value;
            if (name == "seq") point.number = std::strtoull(value.c_str(), nullptr, 10);
            if (name == "mac") point.mac = value;
            if (name == "signature") point.signature = value;
        }
        found.push_back(std::move(point));
    }
    return found;
}

Verdict verify_trail(std::istream& trail, const VerifyWith& with) {
    return Verifier{with}.run(trail);
}

}  // namespace ra::app
