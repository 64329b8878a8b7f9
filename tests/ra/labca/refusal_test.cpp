#include "tests/ra/labca/lab.h"

namespace labca_test {
namespace {

Bytes with_raw_popo(ByteView popo_tlv, const crypto::PrivateKey& key) {
    return cmp::build_cert_req_body(
        BodyType::ir,
        cmp::build_cert_request(0,
                                cmp::build_cert_template(crypto::name_of("CN=device"), key.spki())),
        popo_tlv);
}

crypto::CredentialPtr stranger() {
    static test::FakeClock clock;
    static test::SeededRandom random{9};
    static labca::LabCa other{{}, clock, random};
    return other.issue_device_certificate("CN=device");
}

Bytes nested(const Bytes& inner) {
    asn1::DerWriter writer;
    {
        const auto body = writer.open(asn1::context(static_cast<unsigned>(BodyType::nested)));
        writer.tlv(asn1::Tag::sequence, inner);
    }
    return std::move(writer).take();
}

}  // namespace

TEST_SUITE("ra/labca") {
    TEST_CASE("faults of the body are told in the response of the request") {
        Lab lab;
        const auto key = new_key();
        const auto other = new_key();
        const Bytes wanted = cmp::build_cert_request(
            0, cmp::build_cert_template(crypto::name_of("CN=device"), key->spki()));
        const Bytes twenty = cmp::build_cert_request(
            20, cmp::build_cert_template(crypto::name_of("CN=device"), key->spki()));
        Bytes broken_request = pkcs10(*key);
        broken_request.back() ^= 1U;
        struct Row {
            const char* name;
            Bytes body;
            BodyType answer;
            PKIFailureInfo info;
        };
        const Row rows[] = {
            {"popo by another key",
             cmp::build_cert_req_body(BodyType::ir, wanted, popo(wanted, *other)), BodyType::ip,
             PKIFailureInfo::badPOP},
            {"no popo", with_raw_popo({}, *key), BodyType::ip, PKIFailureInfo::badPOP},
            {"S-11: raVerified by a device", with_raw_popo(Bytes{0x80, 0x00}, *key), BodyType::ip,
             PKIFailureInfo::notAuthorized},
            {"certReqId 20", cmp::build_cert_req_body(BodyType::cr, twenty, popo(twenty, *key)),
             BodyType::cp, PKIFailureInfo::badDataFormat},
            {"CA:TRUE",
             request(BodyType::ir, *key, "CN=device", crypto::basic_constraints_extension(true)),
             BodyType::ip, PKIFailureInfo::badCertTemplate},
            {"keyCertSign",
             request(BodyType::ir, *key, "CN=device", crypto::key_usage_extension(1U << 5U)),
             BodyType::ip, PKIFailureInfo::badCertTemplate},
            {"R-162: cmcRA",
             request(BodyType::cr, *key, "CN=device",
                     crypto::ext_key_usage_extension({cmp::oid::kCmcRa.view()})),
             BodyType::cp, PKIFailureInfo::notAuthorized},
            {"a short RSA key", request(BodyType::ir, *new_key("rsa:1024")), BodyType::ip,
             PKIFailureInfo::badCertTemplate},
            {"no name at all", request(BodyType::ir, *key, ""), BodyType::ip,
             PKIFailureInfo::badCertTemplate},
            {"kur that changes the subject", request(BodyType::kur, *key, "CN=other"),
             BodyType::kup, PKIFailureInfo::badCertTemplate},
            {"PKCS #10 signature", broken_request, BodyType::cp, PKIFailureInfo::badPOP},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Client client = lab.client();
            const std::size_t before = lab.ca.ledger().size();
            const Heard heard = client.begin(row.body);
            CHECK(heard.type() == row.answer);
            CHECK(heard.refused_for(row.info));
            CHECK(heard.certificate().empty());
            CHECK(lab.ca.ledger().size() == before);
            CHECK(lab.ca.open_transactions() == 0);
        }
    }

    TEST_CASE("kur is for certificates of this CA, not revoked") {
        const auto foreign = stranger();
        labca::Settings settings;
        settings.trust = {foreign->certificate};
        Lab trusting{std::move(settings)};
        Client client = trusting.client(foreign);
        CHECK(client.begin(request(BodyType::kur, *new_key()))
                  .refused_for(PKIFailureInfo::badCertId));
    }

    TEST_CASE("faults of header and protection are told in an error") {
        Lab lab;
        const Bytes body = request(BodyType::ir, *new_key());
        SUBCASE("a stranger's certificate") {
            Client client = lab.client(stranger());
            const Heard heard = client.begin(body);
            CHECK(heard.type() == BodyType::error);
            CHECK(heard.refused_for(PKIFailureInfo::signerNotTrusted));
        }
        SUBCASE("one bit of the body") {
            Client client = lab.client();
            client.transaction_id = Client::random().octets(16);
            Bytes octets = client.build(body);
            const auto parsed = cmp::parse_pki_message(octets, {}).value();
            const auto name = static_cast<std::size_t>(parsed.content.data() - octets.data()) + 30;
            octets[name] ^= 0x20U;
            const auto again = cmp::parse_pki_message(octets, {});
            REQUIRE(again.has_value());
            CHECK(Heard{client.deliver(octets)}.refused_for(PKIFailureInfo::badMessageCheck));
        }
        SUBCASE("not protected") {
            cmp::HeaderFields fields;
            const Bytes nonce(16, 1);
            fields.transaction_id = fields.sender_nonce = nonce;
            Client client = lab.client();
            const Heard heard{
                client.deliver(cmp::build_pki_message(cmp::build_header(fields), body, {}, {}))};
            CHECK(heard.refused_for(PKIFailureInfo::badMessageCheck));
        }
        SUBCASE("pvno 1") {
            cmp::HeaderFields fields;
            const Bytes nonce(16, 1);
            fields.pvno = 1;
            fields.transaction_id = fields.sender_nonce = nonce;
            Client client = lab.client();
            const Heard heard{
                client.deliver(cmp::build_pki_message(cmp::build_header(fields), body, {}, {}))};
            CHECK(heard.refused_for(PKIFailureInfo::unsupportedVersion));
            CHECK(heard.message->header.pvno == 2);
        }
        SUBCASE("a body that is no request") {
            Client client = lab.client();
            CHECK(client.begin(cmp::build_pkiconf_body()).refused_for(PKIFailureInfo::badRequest));
        }
        SUBCASE("certConf out of the blue") {
            Client client = lab.client();
            client.transaction_id = client.recip_nonce = Bytes(16, 3);
            CHECK(client.next(confirm(lab.ca.certificate()->der()))
                      .refused_for(PKIFailureInfo::badRequest));
        }
        CHECK(lab.ca.open_transactions() == 0);
    }

    TEST_CASE("what does not parse: transactionID salvaged, else not CMP") {
        Lab lab;
        Client client = lab.client();
        client.transaction_id = Client::random().octets(16);
        Bytes octets = client.build(request(BodyType::ir, *new_key()));
        octets.resize(octets.size() - 1);
        const Heard heard{client.deliver(octets)};
        CHECK(heard.refused_for(PKIFailureInfo::badDataFormat));
        CHECK_FALSE(heard.message->protection.has_value());
        Arrival arrival;
        arrival.der = {0x30, 0x00};
        const Reply reply = test::run(lab.ca.exchange(std::move(arrival)));
        REQUIRE(std::holds_alternative<NotCmp>(reply));
        CHECK(std::get<NotCmp>(reply).why == NotCmp::Why::malformed);
    }

    TEST_CASE("S-11: an RA may wrap, vouch and revoke; others may not") {
        test::FakeClock clock;
        test::SeededRandom random{11};
        labca::LabCa ra_root{{}, clock, random};
        labca::Settings settings;
        settings.ra_trust = {ra_root.certificate()};
        Lab lab{std::move(settings)};
        const auto ra = ra_root.issue_device_certificate("CN=RA");
        const auto key = new_key();

        Client device = lab.client();
        const auto wrap = [&] {
            device.transaction_id = Client::random().octets(16);
            const Bytes inner = device.build(request(BodyType::ir, *key));
            const auto parsed = cmp::parse_pki_message(inner, {}).value();
            test::Envelope envelope;
            envelope.credential = ra;
            envelope.time = lab.clock.wall_now();
            envelope.transaction_id = device.transaction_id;
            envelope.sender_nonce = to_bytes(*parsed.header.sender_nonce);
            return std::pair{inner, envelope};
        };
        Client outer = lab.client(ra);
        auto [inner, envelope] = wrap();
        const Heard answered{outer.deliver(test::build_message(envelope, nested(inner)))};
        CHECK(answered.type() == BodyType::ip);
        CHECK(answered.status().status == PKIStatus::accepted);

        envelope.sender_nonce = Bytes(16, 9);  // not the inner message's: no single
        CHECK(Heard{outer.deliver(test::build_message(envelope, nested(inner)))}.refused_for(
            PKIFailureInfo::badRequest));

        auto [second, by_device] = wrap();
        by_device.credential = lab.ca.issue_device_certificate("CN=no RA");
        CHECK(Heard{outer.deliver(test::build_message(by_device, nested(second)))}.refused_for(
            PKIFailureInfo::notAuthorized));

        CHECK(outer.begin(with_raw_popo(Bytes{0x80, 0x00}, *key)).status().status ==
              PKIStatus::accepted);
        const Bytes issued = answered.certificate();
        const auto victim = asn1::parse_certificate(issued).value();
        CHECK(
            outer.begin(cmp::build_rev_req_body(victim.issuer, victim.serial, 1)).status().status ==
            PKIStatus::accepted);
    }
}

}  // namespace labca_test
