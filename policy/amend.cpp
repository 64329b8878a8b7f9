#include <algorithm>
#include <array>
#include <stdexcept>

#include "policy/amended.h"
#include "policy/extension_values.h"
#include "policy/rules.h"
#include "policy/text.h"
#include "ra/asn1/der_writer.h"
#include "ra/asn1/time.h"
#include "ra/cmp/build.h"
#include "ra/crypto/signer.h"

namespace policy {
namespace {

using ra::Bytes;
using ra::ByteView;
using ra::asn1::context;
using ra::asn1::DerReader;
using ra::asn1::DerWriter;
using ra::asn1::Tag;

constexpr unsigned kValidity = 4, kSubject = 5, kPublicKey = 6, kExtensions = 9, kFields = 10;
constexpr std::string_view kRule = "amend";

Refuse no_value(std::string_view what) {
    return refuse_body(kRule, PKIFailureInfo::notAuthorized,
                       std::string(what) + ": the sender has no value that fits the template");
}

void write(DerWriter& writer, ByteView id, bool critical, ByteView value) {
    const auto extension = writer.open(Tag::sequence);
    writer.oid(id);
    if (critical) writer.boolean(true);
    writer.octet_string(value);
}

/// Time ::= CHOICE { utcTime, generalTime }: UTCTime through 2049 (RFC 5280 4.1.2.5).
void write_time(DerWriter& writer, ra::WallTime time) {
    const std::string text = ra::asn1::generalized_time(time);
    if (text < "2050") {
        writer.tlv(Tag::utc_time, ra::as_bytes(text).subspan(2));
    } else {
        writer.tlv(Tag::generalized_time, ra::as_bytes(text));
    }
}

/// Latest notAfter the profile lets stand.
ra::WallTime latest(const ra::cmp::OptionalValidity& asked, std::chrono::seconds most,
                    ra::WallTime now) {
    return asked.not_before.value_or(now) + most;
}

bool exceeds(const ra::cmp::OptionalValidity& asked, std::chrono::seconds most, ra::WallTime now) {
    return !asked.not_after || *asked.not_after > latest(asked, most, now);
}

/// OptionalValidity ::= SEQUENCE { notBefore [0] Time OPTIONAL, notAfter [1] Time OPTIONAL }
void write_validity(DerWriter& writer, const ra::cmp::OptionalValidity& asked,
                    std::chrono::seconds most, ra::WallTime now) {
    const auto validity = writer.open(context(kValidity));
    if (asked.not_before) {
        const auto tagged = writer.open(context(0));
        write_time(writer, *asked.not_before);
    }
    const auto tagged = writer.open(context(1));
    write_time(writer, latest(asked, most, now));
}

/// The asked alternative names, unless they are replaced, and the profile's own; each once.
Judged<Bytes> alt_names(const Amendments& amend, const Sender& sender,
                        std::optional<ByteView> asked) {
    const auto added = fill_alt_names(amend, sender);
    if (!added) return no_value("subjectAltName");
    DerWriter writer;
    {
        const auto names = writer.open(Tag::sequence);
        std::vector<AltName> kept;
        if (asked && amend.names == Amendments::Names::add) {
            if (auto parsed = read_alt_names(*asked)) kept = std::move(*parsed);
        }
        for (const AltName& one : kept) writer.raw(one.whole);
        DerReader own{*added};
        while (!own.at_end()) {
            const auto name = own.read_any("GeneralName");
            if (!name) break;
            const bool known = std::any_of(kept.begin(), kept.end(), [&name](const AltName& one) {
                return ra::equal(one.whole, name->whole);
            });
            if (!known) writer.raw(name->whole);
        }
    }
    return std::move(writer).take();
}

/// Content of Extensions.
Judged<Bytes> extensions(const Amendments& amend, const Sender& sender,
                         const std::vector<ra::cmp::Extension>& asked) {
    DerWriter writer;
    std::optional<ByteView> names;
    bool names_critical = false;
    for (const ra::cmp::Extension& one : asked) {
        if (is_listed(amend.drop, one.id)) continue;
        if (oid::kSubjectAltName == one.id && amend.names_anything()) {
            names = one.value;
            names_critical = one.critical;
            continue;
        }
        if (oid::kKeyUsage == one.id && amend.key_usage) continue;
        if (oid::kExtKeyUsage == one.id && !amend.eku.empty()) continue;
        write(writer, one.id, one.critical, one.value);
    }
    if (amend.names_anything()) {
        auto value = alt_names(amend, sender, names);
        if (!value) return std::move(value).error();
        constexpr std::size_t kEmpty = 2;  // 30 00
        if (value->size() > kEmpty)
            write(writer, oid::kSubjectAltName.view(), names_critical, *value);
    }
    if (amend.key_usage) writer.raw(ra::crypto::key_usage_extension(*amend.key_usage));
    if (!amend.eku.empty()) {
        const std::vector<ByteView> purposes(amend.eku.begin(), amend.eku.end());
        writer.raw(ra::crypto::ext_key_usage_extension(purposes));
    }
    return std::move(writer).take();
}

using Fields = std::array<ByteView, kFields>;

/// The fields of a CertTemplate that parsed, by tag number.
Fields fields_of(ByteView cert_template) {
    Fields fields;
    DerReader outer{cert_template};
    const auto content = outer.read(Tag::sequence, "certTemplate");
    if (!content) throw std::logic_error("a CertTemplate that parsed does not parse");
    DerReader reader{*content};
    while (!reader.at_end()) {
        const auto field = reader.read_any("certTemplate");
        if (!field) throw std::logic_error("a CertTemplate that parsed does not parse");
        fields.at(static_cast<unsigned>(field->tag) & 0x1fU) = field->whole;
    }
    return fields;
}

/// CertTemplate with everything that is not amended octet by octet as it was.
Judged<Bytes> rewrite(ByteView asked, const Amendments& amend, const Sender& sender,
                      const ra::cmp::OptionalValidity& validity,
                      const std::vector<ra::cmp::Extension>& asked_extensions, ra::WallTime now) {
    const Fields fields = fields_of(asked);
    auto new_extensions = extensions(amend, sender, asked_extensions);
    if (!new_extensions) return std::move(new_extensions).error();
    std::optional<Bytes> subject;
    if (amend.subject) {
        subject = fill_name(*amend.subject, sender);
        if (!subject) return no_value("subject");
    }
    DerWriter writer{asked.size() + new_extensions->size() + 128};
    {
        const auto made = writer.open(Tag::sequence);
        for (unsigned number = 0; number < kFields; ++number) {
            if (number == kValidity && amend.max_validity &&
                exceeds(validity, *amend.max_validity, now)) {
                write_validity(writer, validity, *amend.max_validity, now);
            } else if (number == kSubject && subject) {
                writer.tlv(context(kSubject), *subject);
            } else if (number == kExtensions) {
                if (!new_extensions->empty()) writer.tlv(context(kExtensions), *new_extensions);
            } else {
                writer.raw(fields[number]);
            }
        }
    }
    Bytes made = std::move(writer).take();
    // What the device proved possession of is what is certified (RFC 4211 5).
    if (!ra::equal(fields_of(made)[kPublicKey], fields[kPublicKey]))
        throw std::logic_error("amending a request changed its public key");
    return made;
}

/// Content of Extensions as PKCS #10 asked for them.
Bytes copied(const std::vector<ra::cmp::Extension>& asked) {
    DerWriter writer;
    for (const ra::cmp::Extension& one : asked) write(writer, one.id, one.critical, one.value);
    return std::move(writer).take();
}

/// What stands behind a CertTemplate in its CertRequest, and behind the POP in its CertReqMsg.
struct Rest {
    ByteView controls;  // TLV; empty: absent
    ByteView reg_info;
};
Rest rest_of(const ra::cmp::CertReqMsg& request) {
    Rest rest;
    DerReader outer{request.cert_req};
    const auto content = outer.read(Tag::sequence, "certReq");
    if (content) {
        DerReader fields{*content};
        (void)fields.read_integer("certReqId");
        (void)fields.read_any("certTemplate");
        rest.controls = fields.rest();
    }
    DerReader whole{request.whole};
    const auto message = whole.read(Tag::sequence, "CertReqMsg");
    if (message) {
        DerReader fields{*message};
        (void)fields.read_any("certReq");
        if (request.popo != ra::cmp::PopoType::absent) (void)fields.read_any("popo");
        rest.reg_info = fields.rest();
    }
    return rest;
}

constexpr std::uint8_t kRaVerified[] = {0x80, 0x00};  // popo [0] NULL

/// PKIBody with one CertReqMsg whose POP is raVerified.
Bytes build_body(BodyType type, std::int64_t cert_req_id, ByteView cert_template,
                 const Rest& rest) {
    DerWriter writer{cert_template.size() + rest.controls.size() + rest.reg_info.size() + 64};
    {
        const auto body = writer.open(context(static_cast<unsigned>(type)));
        const auto messages = writer.open(Tag::sequence);
        const auto message = writer.open(Tag::sequence);
        {
            const auto request = writer.open(Tag::sequence);
            writer.integer(cert_req_id);
            writer.raw(cert_template);
            writer.raw(rest.controls);
        }
        writer.raw(kRaVerified);
        writer.raw(rest.reg_info);
    }
    return std::move(writer).take();
}

}  // namespace

Judged<std::optional<Amended>> amend(const ProvenRequest& request, ra::WallTime now) {
    const Amendments& wanted = request.profile().amend;
    if (!request.origin().verified || wanted.empty()) return std::optional<Amended>{};
    const Facts facts = facts_of(request, now, {});
    const BodyType type = facts.type();
    if (treatment_of(facts) != Treatment::raverified || facts.asked.size() != 1 ||
        (type != BodyType::ir && type != BodyType::cr && type != BodyType::p10cr)) {
        return std::optional<Amended>{};
    }
    const Asked& asked = facts.asked.front();
    if (asked.crmf != nullptr) {
        const ra::cmp::CertTemplate& before = asked.crmf->cert_template;
        const auto validity = before.validity.value_or(ra::cmp::OptionalValidity{});
        auto after = rewrite(before.whole, wanted, facts.sender, validity, before.extensions, now);
        if (!after) return std::move(after).error();
        if (ra::equal(*after, before.whole)) return std::optional<Amended>{};
        return std::optional<Amended>{
            {type, build_body(type, asked.crmf->cert_req_id, *after, rest_of(*asked.crmf))}};
    }
    const ra::cmp::CertificationRequest& p10 = *asked.p10;
    const Bytes before =
        ra::cmp::build_cert_template(p10.subject, p10.public_key.whole, copied(p10.extensions));
    auto after = rewrite(before, wanted, facts.sender, {}, p10.extensions, now);
    if (!after) return std::move(after).error();
    if (ra::equal(*after, before)) return std::optional<Amended>{};
    if (!p10.other_attributes.empty()) {
        return refuse_body(kRule, PKIFailureInfo::badCertTemplate,
                           "an amended p10cr becomes cr, which has no place for its attributes");
    }
    return std::optional<Amended>{{BodyType::cr, build_body(BodyType::cr, 0, *after, {})}};
}

}  // namespace policy
