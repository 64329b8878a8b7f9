#include "tests/policy/support.h"

using namespace policy_test;

namespace {

/// What a CA issued, every part replaceable.
struct Issued {
    std::string subject = "CN=dev1,O=Example";
    Bytes spki = ra::to_bytes(Pki::get().new_key->spki());
    Bytes extensions;
    ra::WallTime not_before = kNow, not_after = kNow + kYear;
    bool mods = false;
};

Bytes certificate_of(const Issued& issued) {
    const Bytes serial{0x21};
    const Bytes issuer = crypto::name_of("CN=CA"), subject = crypto::name_of(issued.subject);
    const crypto::CertificateFields fields{
        serial,           issuer,      subject,          issued.not_before,
        issued.not_after, issued.spki, issued.extensions};
    return crypto::build_certificate(fields, *Pki::get().devices.key).value();
}

/// The subject of the certificate that protects a message.
Bytes sender_of(ByteView message) {
    const auto parsed = cmp::parse_pki_message(message, {}).value();
    asn1::DerReader certificates{parsed.extra_certs};
    const auto first = certificates.read_any("extraCerts");
    if (!first) return {};
    return ra::to_bytes(asn1::parse_certificate(first->whole).value().subject);
}

}  // namespace

TEST_SUITE("policy") {
    TEST_CASE("S-13: the issued certificate is within what was asked and permitted") {
        const Bytes client =
            crypto::ext_key_usage_extension({asn1::parse_dotted("1.3.6.1.5.5.7.3.2")});
        const Bytes cmc_ra = crypto::ext_key_usage_extension({cmp::oid::kCmcRa.view()});
        const auto list_client = [](Profile& p) {
            p.rules.eku = {asn1::parse_dotted("1.3.6.1.5.5.7.3.2")};
        };
        struct Row {
            const char* name;
            std::function<void(Request&, Issued&, Profile&)> change;
            const char* rule;
        };
        const Row rows[] = {
            {"as asked", [](Request&, Issued&, Profile&) {}, ""},
            {"purpose the profile lists",
             [&](Request&, Issued& i, Profile& p) {
                 i.extensions = client;
                 list_client(p);
             },
             ""},
            {"subjectAltName asked for",
             [](Request& r, Issued& i, Profile& p) {
                 p.rules.san_dns = {DnsPattern::parse("*.x")};
                 r.extensions = san_dns("a.x");
                 i.extensions = san_dns("a.x");
             },
             ""},
            {"subjectAltName dropped",
             [](Request& r, Issued&, Profile& p) {
                 p.rules.san_dns = {DnsPattern::parse("*.x")};
                 r.extensions = san_dns("a.x");
             },
             ""},
            {"mods within the profile",
             [](Request&, Issued& i, Profile& p) {
                 p.rules.subjects = {NamePattern::parse("CN=${sender.CN},O=*")};
                 i.subject = "CN=dev1,O=Renamed";
                 i.mods = true;
             },
             ""},

            {"another key",
             [](Request&, Issued& i, Profile&) {
                 i.spki = ra::to_bytes(Pki::get().device.key->spki());
             },
             "issued-key"},
            {"another key, mods",
             [](Request&, Issued& i, Profile&) {
                 i.spki = ra::to_bytes(Pki::get().device.key->spki());
                 i.mods = true;
             },
             "issued-key"},
            {"another subject",
             [](Request&, Issued& i, Profile&) { i.subject = "CN=dev2,O=Example"; },
             "issued-subject"},
            {"permitted but not asked, no mods",
             [](Request&, Issued& i, Profile& p) {
                 p.rules.subjects = {NamePattern::parse("CN=${sender.CN},O=*")};
                 i.subject = "CN=dev1,O=Renamed";
             },
             "issued-subject"},
            {"mods beyond the profile",
             [](Request&, Issued& i, Profile&) {
                 i.subject = "CN=dev2,O=Example";
                 i.mods = true;
             },
             "issued-subject"},
            {"subjectAltName added",
             [](Request&, Issued& i, Profile& p) {
                 p.rules.san_dns = {DnsPattern::parse("*.x")};
                 i.extensions = san_dns("a.x");
             },
             "issued-subject-alt-name"},
            {"subjectAltName changed, mods beyond",
             [](Request& r, Issued& i, Profile& p) {
                 p.rules.san_dns = {DnsPattern::parse("*.x")};
                 r.extensions = san_dns("a.x");
                 i.extensions = san_dns("a.y");
                 i.mods = true;
             },
             "issued-subject-alt-name"},
            {"purpose not listed", [&](Request&, Issued& i, Profile&) { i.extensions = client; },
             "issued-extended-key-usage"},
            {"cmcRA",
             [&](Request&, Issued& i, Profile& p) {
                 i.extensions = cmc_ra;
                 list_client(p);
                 i.mods = true;
             },
             "issued-extended-key-usage"},
            {"purpose lifted",
             [&](Request& r, Issued&, Profile& p) {
                 r.extensions = client;
                 list_client(p);
             },
             "issued-extended-key-usage"},
            {"CA",
             [](Request&, Issued& i, Profile&) {
                 i.extensions = crypto::basic_constraints_extension(true);
                 i.mods = true;
             },
             "issued-ca"},
            {"keyCertSign",
             [](Request&, Issued& i, Profile&) {
                 i.extensions = crypto::key_usage_extension(kKeyCertSign);
             },
             "issued-key-usage"},
            {"too long",
             [](Request&, Issued&, Profile& p) { p.rules.max_validity = std::chrono::hours{24}; },
             "issued-validity"},
            {"ends before it begins",
             [](Request&, Issued& i, Profile&) { i.not_after = kNow - kYear; }, "issued-validity"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Request request;
            Issued issued;
            Profile profile = device_profile();
            row.change(request, issued, profile);
            const Bytes der = certificate_of(issued);
            const auto view = asn1::parse_certificate(der);
            REQUIRE(view.has_value());
            check(check_issued(profile, *view, message_of(request), sender_of(message_of(request)),
                               {}, issued.mods),
                  row.rule, PKIFailureInfo::systemFailure);
        }
    }
}
