#include <cstdlib>

#include "policy/pipeline.h"
#include "policy/rules.h"
#include "ra/asn1/der_reader.h"
#include "ra/crypto/signer.h"

/// The pipeline from octets to Decision with a fixed profile. The first certificate of extraCerts
/// is taken for verified, so that the fuzzer reaches the rules without forging signatures; POP is
/// real, but optional. decide() and explain() must agree.

using namespace policy;

namespace {

/// Some trust; what is under it does not matter here.
ra::crypto::TrustStorePtr anchor() {
    const auto key = ra::crypto::PrivateKey::generate("ec:P-256");
    const ra::Bytes name = ra::crypto::name_of("CN=Root"), serial{1};
    const ra::WallTime from{std::chrono::seconds{1'700'000'000}};
    const ra::crypto::CertificateFields fields{
        serial, name, name, from, from + std::chrono::hours{24 * 3650}, key->spki(), {}};
    const ra::Bytes der = ra::crypto::build_certificate(fields, *key).value();
    return ra::crypto::TrustStore::of({ra::crypto::Certificate::parse(der).value()});
}

ProfilePtr profile_of(OriginSettings::Kind kind) {
    auto profile = std::make_shared<Profile>();
    profile->name = "fuzz";
    profile->origin.kind = kind;
    profile->origin.trust = anchor();
    profile->origin.time_window = std::chrono::seconds{0};
    profile->origin.undated = OriginSettings::Undated::remember;
    profile->origin.sender_is_subject = false;
    profile->pop = Pop::optional;
    profile->match.operations.set();
    profile->rules.keys = {KeyPattern::parse("ec"), KeyPattern::parse("rsa>=2048")};
    profile->rules.subjects = {NamePattern::parse("CN=${sender.CN},O=*"), NamePattern::parse("*")};
    profile->rules.san_dns = {DnsPattern::parse("*.example"), DnsPattern::parse("${sender.CN}")};
    profile->rules.san_uri = {TextPattern::parse("urn:*")};
    profile->rules.san_ip = {IpRange::parse("192.0.2.0/24")};
    return profile;
}

Judged<ProvenRequest> run(ra::cmp::ParsedMessage parsed, const ProfilePtr& profile,
                          ra::WallTime now) {
    if (auto header = check_header(parsed.message(), {}); !header) return std::move(header).error();
    auto selected = select(std::move(parsed), {}, {profile}, profile);
    if (!selected) return std::move(selected).error();
    const auto plan = plan_origin(*selected, now);
    if (!plan) return plan.error();
    OriginFacts facts;
    ra::asn1::DerReader certificates{selected->message().extra_certs};
    if (const auto first = certificates.read_any("extraCerts")) {
        if (auto signer = ra::crypto::Certificate::parse(first->whole)) {
            facts.chain = ra::crypto::Chain{*signer, *signer, {*signer}};
            facts.signature = boost::system::in_place_value;
        }
    }
    auto authentic = conclude_origin(std::move(*selected), *plan, facts, {});
    if (!authentic) return std::move(authentic).error();
    return prove(std::move(*authentic), {});
}

bool refused(const Decision& decision) { return std::holds_alternative<Refuse>(decision); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const ProfilePtr kProfiles[] = {profile_of(OriginSettings::Kind::signature),
                                           profile_of(OriginSettings::Kind::opaque)};
    const ra::WallTime now{std::chrono::seconds{1'790'000'000}};
    for (const ProfilePtr& profile : kProfiles) {
        ra::cmp::MessageBuffer buffer{ra::Bytes(data, data + size)};
        auto parsed = ra::cmp::ParsedMessage::parse(std::move(buffer), {});
        if (!parsed) return 0;
        const auto request = run(std::move(*parsed), profile, now);
        if (!request) continue;
        bool any = false;
        for (const RuleVerdict& one : explain(*request, now)) any = any || refused(one.decision);
        if (any != refused(decide(*request, now))) std::abort();
        if (const auto& signer = request->origin().signer) {
            const ra::ByteView whole = request->message().whole;
            if (!asked_in(request->body()).empty()) {
                (void)check_issued(*profile, signer->view(), whole, signer->subject(), {},
                                   size % 2 == 0);
            }
        }
    }
    return 0;
}
