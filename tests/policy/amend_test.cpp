#include "policy/amended.h"
#include "ra/asn1/certificate.h"
#include "tests/policy/support.h"

using namespace policy_test;

namespace {

constexpr asn1::Oid kKeyUsageOid = asn1::oid("2.5.29.15");

Profile amending(Amendments amend) {
    Profile profile = device_profile();
    profile.treatments.otherwise = Treatment::raverified;
    profile.amend = std::move(amend);
    return profile;
}

/// What the request becomes; the octets live as long as this.
struct After {
    Amended amended;
    std::vector<cmp::CertReqMsg> requests;
    [[nodiscard]] const cmp::CertReqMsg& request() const { return requests.at(0); }
    [[nodiscard]] const cmp::CertTemplate& cert_template() const { return request().cert_template; }
};

After amended_by(const Request& request, const Profile& profile) {
    const auto good = proven(message_of(request), profile);
    REQUIRE(good.has_value());
    auto amended = amend(*good, kNow);
    if (!amended) FAIL(amended.error().detail);
    REQUIRE(amended->has_value());
    After after{std::move(**amended), {}};
    asn1::DerReader body{after.amended.body};
    const auto content =
        body.read(asn1::context(static_cast<unsigned>(after.amended.type)), "body").value();
    after.requests = cmp::parse_cert_req_messages(content, 0, {}).value();
    REQUIRE(after.requests.size() == 1);
    return after;
}

const cmp::Extension* find(const cmp::CertTemplate& made, const asn1::Oid& id) {
    for (const auto& one : made.extensions) {
        if (id == one.id) return &one;
    }
    return nullptr;
}

/// SubjectAltName value with these dNSNames.
Bytes names(const std::vector<std::string>& dns) {
    DerWriter writer;
    {
        const auto list = writer.open(Tag::sequence);
        for (const std::string& one : dns)
            writer.tlv(asn1::context_primitive(2), ra::as_bytes(one));
    }
    return std::move(writer).take();
}

Bytes value_of(const cmp::CertTemplate& made, const asn1::Oid& id) {
    const cmp::Extension* found = find(made, id);
    return found == nullptr ? Bytes{} : ra::to_bytes(found->value);
}

Amendments renamed(std::string_view subject) {
    Amendments amend;
    amend.subject = NamePattern::parse(subject);
    return amend;
}

/// A p10cr body.
Bytes pkcs10(std::string_view subject) {
    const crypto::PrivateKey& key = *Pki::get().new_key;
    DerWriter info;
    {
        const auto all = info.open(Tag::sequence);
        info.integer(0);
        info.raw(crypto::name_of(subject));
        info.raw(key.spki());
        info.tlv(asn1::context(0), {});
    }
    DerWriter body;
    {
        const auto tagged = body.open(asn1::context(4));
        const auto all = body.open(Tag::sequence);
        body.raw(info.view());
        body.raw(key.algorithm());
        body.bit_string(key.sign(info.view()).value());
    }
    return std::move(body).take();
}

}  // namespace

TEST_SUITE("policy") {
    TEST_CASE("amend: subject by template, key, id and everything else as they were") {
        Request request;
        request.id = 0;
        request.extensions = san_dns("a.x");
        Profile profile = amending(renamed("O=Plant,OU=Line 3,CN=${sender.CN}"));
        profile.rules.san_dns = {DnsPattern::parse("*.x")};
        const After after = amended_by(request, profile);
        CHECK(after.amended.type == BodyType::ir);
        CHECK(ra::equal(*after.cert_template().subject,
                        crypto::name_of("O=Plant,OU=Line 3,CN=dev1")));
        CHECK(after.request().popo == cmp::PopoType::raVerified);
        CHECK(after.request().cert_req_id == 0);
        CHECK(after.cert_template().public_key_der() == ra::to_bytes(Pki::get().new_key->spki()));
        CHECK(value_of(after.cert_template(), kSan) == names({"a.x"}));
    }

    TEST_CASE("amend: controls and regInfo stay, octet by octet") {
        const asn1::Oid id = asn1::oid("1.2.3.4");
        Request request;
        request.controls = pair(id.view(), Bytes{0x05, 0x00});
        request.reg_info = pair(id.view(), Bytes{0x02, 0x01, 0x07});
        Profile profile = amending(renamed("CN=${sender.CN},O=New"));
        profile.rules.controls = {ra::to_bytes(id.view())};
        profile.rules.reg_info = {ra::to_bytes(id.view())};
        const After after = amended_by(request, profile);
        REQUIRE(after.request().controls.size() == 1);
        CHECK(ra::to_bytes(after.request().controls[0].value) == Bytes{0x05, 0x00});
        REQUIRE(after.request().reg_info.size() == 1);
        CHECK(ra::to_bytes(after.request().reg_info[0].value) == Bytes{0x02, 0x01, 0x07});
    }

    TEST_CASE("amend: alternative names added and replaced, each once") {
        struct Row {
            const char* name;
            Amendments::Names how;
            std::vector<std::string> asked, own, want;
        };
        using Names = Amendments::Names;
        const Row rows[] = {
            {"none asked", Names::add, {}, {"${sender.CN}.plant"}, {"dev1.plant"}},
            {"added", Names::add, {"a.x"}, {"${sender.CN}.plant"}, {"a.x", "dev1.plant"}},
            {"already there",
             Names::add,
             {"a.x", "dev1.plant"},
             {"b.plant", "dev1.plant"},
             {"a.x", "dev1.plant", "b.plant"}},
            {"replaced", Names::replace, {"a.x"}, {"${sender.CN}.plant"}, {"dev1.plant"}},
            {"taken away", Names::replace, {"a.x"}, {}, {}},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Request request;
            if (!row.asked.empty()) request.extensions = extension(kSan, names(row.asked));
            Amendments wanted;
            wanted.names = row.how;
            for (const auto& one : row.own) wanted.san_dns.push_back(DnsPattern::parse(one));
            const After after = amended_by(request, amending(wanted));
            const Bytes got = value_of(after.cert_template(), kSan);
            CHECK(got == (row.want.empty() ? Bytes{} : names(row.want)));
        }
    }

    TEST_CASE("amend: keyUsage, extKeyUsage set; a listed extension dropped") {
        const asn1::Oid custom = asn1::oid("1.3.6.1.4.1.99999.1");
        Request request;
        request.extensions = extension(custom, Bytes{0x05, 0x00});
        ra::append(request.extensions, crypto::key_usage_extension(kKeyAgreement));
        Amendments wanted;
        wanted.key_usage = kDigitalSignature;
        wanted.eku = {asn1::parse_dotted("1.3.6.1.5.5.7.3.2")};
        wanted.drop = {ra::to_bytes(custom.view())};
        Profile profile = amending(wanted);
        profile.rules.extensions = {ra::to_bytes(custom.view())};
        const After after = amended_by(request, profile);
        CHECK(find(after.cert_template(), custom) == nullptr);
        CHECK(value_of(after.cert_template(), kKeyUsageOid) == Bytes{0x03, 0x02, 0x07, 0x80});
        CHECK(value_of(after.cert_template(), asn1::oid("2.5.29.37")) ==
              Bytes{0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02});
    }

    TEST_CASE("amend: validity is cut, never widened") {
        Amendments wanted;
        wanted.max_validity = std::chrono::hours{24 * 30};
        SUBCASE("none asked: the most there is") {
            const After after = amended_by({}, amending(wanted));
            REQUIRE(after.cert_template().validity.has_value());
            CHECK(after.cert_template().validity->not_after == kNow + std::chrono::hours{720});
            CHECK(!after.cert_template().validity->not_before.has_value());
        }
        SUBCASE("less asked: nothing to amend, the device's own POP goes up (R-097)") {
            Request request;
            DerWriter head;
            {
                const auto validity = head.open(asn1::context(4));
                const auto after = head.open(asn1::context(1));
                head.tlv(Tag::generalized_time, ra::as_bytes("20260930000000Z"));
            }
            request.template_head = std::move(head).take();
            const auto good = proven(message_of(request), amending(wanted));
            REQUIRE(good.has_value());
            const auto amended = amend(*good, kNow);
            REQUIRE(amended.has_value());
            CHECK(!amended->has_value());
        }
    }

    TEST_CASE("amend: a request that says already what it should is not touched (R-097)") {
        const Profile profile = amending(renamed("CN=${sender.CN},O=Example"));
        const auto good = proven(message_of({}), profile);
        REQUIRE(good.has_value());
        const auto amended = amend(*good, kNow);
        REQUIRE(amended.has_value());
        CHECK(!amended->has_value());
    }

    TEST_CASE("amend: only under raverified, only requests for certificates") {
        Profile profile = amending(renamed("CN=${sender.CN},O=New"));
        profile.treatments.otherwise = Treatment::reprotect;
        const auto good = proven(message_of({}), profile);
        REQUIRE(good.has_value());
        const auto amended = amend(*good, kNow);
        REQUIRE(amended.has_value());
        CHECK(!amended->has_value());
    }

    TEST_CASE("amend: an amended p10cr becomes cr with certReqId 0 (R-099)") {
        Request request;
        request.type = BodyType::p10cr;
        request.body = pkcs10("CN=dev1,O=Example");
        const After after = amended_by(request, amending(renamed("CN=${sender.CN},O=New")));
        CHECK(after.amended.type == BodyType::cr);
        CHECK(after.request().cert_req_id == 0);
        CHECK(after.request().popo == cmp::PopoType::raVerified);
        CHECK(ra::equal(*after.cert_template().subject, crypto::name_of("CN=dev1,O=New")));
        CHECK(after.cert_template().public_key_der() == ra::to_bytes(Pki::get().new_key->spki()));
    }

    TEST_CASE("S-14: a template without exactly one fitting value refuses") {
        struct Row {
            const char* name;
            Amendments amend;
        };
        Amendments bad_dns;
        bad_dns.san_dns = {DnsPattern::parse("${sender.O} x.plant")};
        Amendments no_such;
        no_such.san_email = {TextPattern::parse("${sender.serialNumber}@plant")};
        const Row rows[] = {
            {"attribute the sender lacks", renamed("CN=${sender.serialNumber},O=New")},
            {"no DNS name", bad_dns},
            {"no value for an address", no_such},
            {"PrintableString cannot hold it", renamed("serialNumber=a\\*b,CN=x")},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            const auto good = proven(message_of({}), amending(row.amend));
            REQUIRE(good.has_value());
            const auto amended = amend(*good, kNow);
            REQUIRE(!amended.has_value());
            CHECK(amended.error().rule == "amend");
            CHECK(amended.error().fail_info == PKIFailureInfo::notAuthorized);
            CHECK(amended.error().in_body);
        }
    }

    TEST_CASE("S-14: an RA's own certificate does not name the device it speaks for") {
        Request request;
        request.by = &Pki::get().ra;
        request.popo = Request::Popo::ra_verified;
        Profile profile = amending(renamed("CN=${sender.CN},O=New"));
        profile.ra.trust = Pki::get().ras.trust;
        profile.ra.ra_verified = true;
        profile.ra.any_subject = true;
        const auto good = proven(message_of(request), profile);
        REQUIRE(good.has_value());
        CHECK(!amend(*good, kNow).has_value());
    }
}
