#include "ra/asn1/name.h"
#include "ra/asn1/oids.h"
#include "ra/asn1/time.h"
#include "ra/cmp/fields.h"
#include "ra/cmp/inspect_tree.h"
#include "ra/cmp/oids.h"

/// The small things inspect shows: names, times, algorithms, extensions, certificates.
namespace ra::cmp::tree {

using asn1::DerReader;
using asn1::Tag;

value hex(ByteView octets) { return boost::json::string{to_hex(octets)}; }

object blob(ByteView octets) { return {{"octets", octets.size()}, {"hex", to_hex(octets)}}; }

value text(std::string_view from_outside) {
    return boost::json::string{asn1::escaped(from_outside)};
}

object fault(const Error& error) {
    return {{"error", to_string(error.code)}, {"field", error.field}, {"offset", error.offset}};
}

value name(ByteView name_tlv) {
    const std::string shown = asn1::name_text(name_tlv);
    return boost::json::string{shown.empty() ? "NULL-DN" : shown};
}

value general_name(ByteView general_name) {
    if (is_null_dn(general_name)) return "NULL-DN";
    return boost::json::string{asn1::general_name_text(general_name)};
}

value time(WallTime when) { return boost::json::string{asn1::readable_time(when)}; }

value serial(ByteView content) { return hex(content); }

array texts(const std::vector<std::string_view>& list) {
    array made;
    for (const std::string_view one : list) made.push_back(text(one));
    return made;
}

namespace {

// PBMParameter ::= SEQUENCE { salt OCTET STRING, owf AlgorithmIdentifier,
//                             iterationCount INTEGER, mac AlgorithmIdentifier }
Result<object> pbm(const AlgorithmIdentifier& from) {
    DerReader outer{from.parameters};
    RA_TRY(const ByteView content, outer.read(Tag::sequence, "PBMParameter"));
    DerReader reader = outer.inside(content);
    RA_TRY(const ByteView salt, reader.read(Tag::octet_string, "salt"));
    RA_TRY(const AlgorithmIdentifier owf, read_algorithm(reader, "owf"));
    RA_TRY(const std::int64_t count, reader.read_integer("iterationCount"));
    RA_TRY(const AlgorithmIdentifier mac, read_algorithm(reader, "mac"));
    return object{{"algorithm", asn1::oid_name(from.algorithm)},
                  {"salt", hex(salt)},
                  {"owf", asn1::oid_name(owf.algorithm)},
                  {"iterationCount", count},
                  {"mac", asn1::oid_name(mac.algorithm)}};
}

array general_names(ByteView content) {
    array names;
    DerReader reader{content};
    while (!reader.at_end()) {
        const auto one = reader.read_any("GeneralName");
        if (!one.has_value()) break;
        names.push_back(general_name(one->whole));
    }
    return names;
}

value key_usage(DerReader reader) {
    constexpr std::string_view kUsages[] = {"digitalSignature", "nonRepudiation", "keyEncipherment",
                                            "dataEncipherment", "keyAgreement",   "keyCertSign",
                                            "cRLSign",          "encipherOnly",   "decipherOnly"};
    const auto bits = reader.read_named_bits("keyUsage");
    if (!bits.has_value()) return fault(bits.error());
    array usages;
    for (unsigned bit = 0; bit < std::size(kUsages); ++bit) {
        if ((*bits >> bit & 1U) != 0) usages.push_back(value(kUsages[bit]));
    }
    return usages;
}

value purposes(ByteView content) {
    array made;
    DerReader reader{content};
    while (!reader.at_end()) {
        const auto one = reader.read_oid("KeyPurposeId");
        if (!one.has_value()) return fault(one.error());
        made.push_back(value(asn1::oid_name(*one)));
    }
    return made;
}

// BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL }
value basic_constraints(DerReader reader) {
    object made{{"cA", false}};
    if (reader.peek() == Tag::boolean) {
        const auto ca = reader.read_boolean("cA");
        if (!ca.has_value()) return fault(ca.error());
        made["cA"] = *ca;
    }
    if (!reader.at_end()) {
        const auto length = reader.read_integer("pathLenConstraint");
        if (!length.has_value()) return fault(length.error());
        made["pathLenConstraint"] = *length;
    }
    return made;
}

value extension_value(const Extension& extension) {
    const std::string id = asn1::oid_name(extension.id);
    DerReader reader{extension.value};
    if (id == "keyUsage") return key_usage(reader);
    if (id == "subjectKeyIdentifier") {
        const auto identifier = reader.read(Tag::octet_string, "subjectKeyIdentifier");
        return identifier.has_value() ? hex(*identifier) : value(fault(identifier.error()));
    }
    if (id == "reasonCode") {
        const auto reason = reader.read(Tag::enumerated, "reasonCode");
        if (reason.has_value() && reason->size() == 1) return (*reason)[0];
    }
    if (id == "subjectAltName" || id == "extKeyUsage" || id == "basicConstraints") {
        const auto content = reader.read(Tag::sequence, "extnValue");
        if (!content.has_value()) return fault(content.error());
        if (id == "subjectAltName") return general_names(*content);
        if (id == "extKeyUsage") return purposes(*content);
        return basic_constraints(reader.inside(*content));
    }
    return hex(extension.value);
}

}  // namespace

value algorithm(const AlgorithmIdentifier& from) {
    if (oid::kPasswordBasedMac == from.algorithm) {
        if (auto made = pbm(from); made.has_value()) return *made;
    }
    if (oid::kPbmac1 == from.algorithm) {
        return object{{"algorithm", "PBMAC1"}, {"parameters", hex(from.parameters)}};
    }
    return boost::json::string{asn1::oid_name(from.algorithm)};
}

value key_algorithm(ByteView spki) {
    DerReader outer{spki};
    const auto tlv = outer.read_any("SubjectPublicKeyInfo");
    if (!tlv.has_value()) return "?";
    DerReader inner = outer.inside(tlv->content);
    const auto identifier = read_algorithm(inner, "algorithm");
    const auto key = inner.read_bit_string("subjectPublicKey");
    if (!identifier.has_value() || !key.has_value()) return "?";
    std::string shown = asn1::oid_name(identifier->algorithm);
    DerReader parameters{identifier->parameters};
    if (const auto curve = parameters.read_oid("curve"); curve.has_value()) {
        shown += ' ' + asn1::oid_name(*curve);
    }
    if (shown == "rsaEncryption") {
        DerReader rsa{*key};
        if (const auto content = rsa.read(Tag::sequence, "RSAPublicKey"); content.has_value()) {
            DerReader numbers{*content};
            const auto modulus = numbers.read_big_integer("modulus");
            if (modulus.has_value()) shown += ' ' + std::to_string(modulus->size() / 8 * 64);
        }
    }
    if (key->empty()) shown += " (no key: central key generation)";
    return boost::json::string{shown};
}

object extensions(const std::vector<Extension>& list) {
    object made;
    for (const Extension& one : list) {
        std::string key = asn1::oid_name(one.id);
        if (one.critical) key += " (critical)";
        made[key] = extension_value(one);
    }
    return made;
}

object certificate(ByteView der) {
    const auto view = asn1::parse_certificate(der);
    if (!view.has_value()) return {{"octets", der.size()}, {"fault", fault(view.error())}};
    return {{"subject", name(view->subject)},       {"issuer", name(view->issuer)},
            {"serialNumber", serial(view->serial)}, {"notBefore", time(view->not_before)},
            {"notAfter", time(view->not_after)},    {"publicKey", key_algorithm(view->spki)}};
}

object status_info(const PKIStatusInfo& status) {
    object made{{"status", to_string(status.status)}};
    if (!status.status_string.empty()) made["statusString"] = texts(status.status_string);
    if (status.fail_info) {
        array bits;
        for (unsigned bit = 0; bit < 32; ++bit) {
            if ((*status.fail_info >> bit & 1U) == 0) continue;
            const std::string_view known = to_string(static_cast<PKIFailureInfo>(bit));
            bits.push_back(known == "unknown" ? value("bit " + std::to_string(bit)) : value(known));
        }
        made["failInfo"] = std::move(bits);
    }
    return made;
}

object info(const InfoTypeAndValue& from) {
    object made{{"infoType", asn1::oid_name(from.type)}};
    if (from.value.empty()) return made;
    DerReader reader{from.value};
    const auto tlv = reader.read_any("infoValue");
    if (!tlv.has_value()) return made;
    const bool certificates = oid::kCaCerts == from.type;
    if (tlv->tag == Tag::null) return made;
    if (tlv->tag == Tag::generalized_time) {
        const auto when = asn1::parse_generalized_time(tlv->content, "infoValue");
        made["infoValue"] = when.has_value() ? time(*when) : hex(from.value);
    } else if (oid::kRootCaCert == from.type) {
        made["infoValue"] = certificate(from.value);
    } else if (oid::kCertProfile == from.type) {
        made["infoValue"] = texts(free_texts(tlv->content));
    } else if (certificates && tlv->tag == Tag::sequence) {
        array list;
        DerReader each{tlv->content};
        while (!each.at_end()) {
            const auto one = each.read_any("CMPCertificate");
            if (!one.has_value()) break;
            list.push_back(certificate(one->whole));
        }
        made["infoValue"] = std::move(list);
    } else {
        made["infoValue"] = blob(from.value);
    }
    return made;
}

}  // namespace ra::cmp::tree
