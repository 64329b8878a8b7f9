#include "tests/ra/labca/lab.h"

namespace labca_test {
namespace {

/// The certificate is for this key and subject, and the CA signed it.
void check_issued(const Lab& lab, const Heard& heard, const crypto::PrivateKey& key,
                  std::string_view subject) {
    REQUIRE(heard.status().status == PKIStatus::accepted);
    const auto certificate = crypto::Certificate::parse(heard.certificate()).value();
    CHECK(crypto::same_public_key(certificate->view().spki, key.spki()));
    CHECK(equal(certificate->subject(), crypto::name_of(subject)));
    CHECK_FALSE(certificate->is_ca());
    CHECK(certificate->view().serial.size() == 16);
    const auto trust = crypto::TrustStore::of({lab.ca.certificate()});
    crypto::ChainVerifier chains{lab.clock};
    CHECK(chains.verify(*trust, certificate->der(), {}).has_value());
}

void check_signed_by_responder(const Lab& lab, const Heard& heard) {
    const auto& responder = lab.ca.responder();
    CHECK(equal(heard.message->extra_certs, responder->der()));
    CHECK(crypto::verify_signature_protection(*heard.message.operator->(), responder->key())
              .has_value());
}

}  // namespace

TEST_SUITE("ra/labca") {
    TEST_CASE("enrolment: each body type, each kind of key, with certConf") {
        struct Row {
            BodyType request, answer;
            std::int64_t cert_req_id;
        };
        const Row rows[] = {{BodyType::ir, BodyType::ip, 0},
                            {BodyType::cr, BodyType::cp, 0},
                            {BodyType::kur, BodyType::kup, 0},
                            {BodyType::p10cr, BodyType::cp, -1}};
        for (const Row& row : rows) {
            for (const char* kind : {"ec:P-256", "ec:P-384", "rsa:2048", "ed25519"}) {
                CAPTURE(cmp::to_string(row.request));
                CAPTURE(kind);
                Lab lab;
                Client client = lab.client();
                const auto key = new_key(kind);
                const Heard heard = client.begin(
                    row.request == BodyType::p10cr ? pkcs10(*key) : request(row.request, *key));
                CHECK(heard.type() == row.answer);
                CHECK(heard.cert().cert_req_id == row.cert_req_id);
                CHECK_FALSE(heard.message->header.implicit_confirm());
                CHECK(equal(*heard.message->header.transaction_id, client.transaction_id));
                check_issued(lab, heard, *key, "CN=device");
                check_signed_by_responder(lab, heard);
                CHECK(lab.ca.open_transactions() == 1);

                const Heard end = client.next(confirm(heard.certificate(), row.cert_req_id));
                CHECK(end.type() == BodyType::pkiconf);
                CHECK(lab.ca.open_transactions() == 0);
                CHECK(lab.ca.ledger().size() == 2);  // the device's own, and this
            }
        }
    }

    TEST_CASE("implicitConfirm: granted only if asked for and allowed") {
        for (const bool asked : {false, true}) {
            for (const bool allowed : {false, true}) {
                labca::Settings settings;
                settings.grant_implicit_confirm = allowed;
                Lab lab{std::move(settings)};
                Client client = lab.client();
                client.implicit_confirm = asked;
                const Heard heard = client.begin(request(BodyType::ir, *new_key()));
                CHECK(heard.message->header.implicit_confirm() == (asked && allowed));
                CHECK(lab.ca.open_transactions() == (asked && allowed ? 0 : 1));
            }
        }
    }

    TEST_CASE("certConf: what does not confirm revokes, and ends the transaction") {
        Lab lab;
        const auto serial_of = [](const Heard& heard) {
            return to_bytes(asn1::parse_certificate(heard.certificate()).value().serial);
        };
        const auto begin = [&](Client& client) {
            return client.begin(request(BodyType::ir, *new_key()));
        };
        SUBCASE("another certificate's hash") {
            Client client = lab.client();
            const Heard heard = begin(client);
            const Heard end = client.next(confirm(lab.ca.certificate()->der()));
            CHECK(end.type() == BodyType::error);
            CHECK(end.refused_for(PKIFailureInfo::badCertId));
            CHECK(lab.ca.ledger().status(serial_of(heard)) == labca::Ledger::Status::revoked);
            CHECK(lab.ca.open_transactions() == 0);
        }
        SUBCASE("a wrong certReqId") {
            Client client = lab.client();
            const Heard heard = begin(client);
            CHECK(client.next(confirm(heard.certificate(), 1))
                      .refused_for(PKIFailureInfo::badCertId));
        }
        SUBCASE("status rejection gets pkiConf") {
            Client client = lab.client();
            const Heard heard = begin(client);
            const Bytes no = cmp::build_status_info(PKIStatus::rejection, std::nullopt, {});
            const Bytes hash = crypto::cert_hash(heard.certificate(), std::nullopt).value();
            CHECK(client.next(cmp::build_cert_conf_body(hash, 0, no)).type() == BodyType::pkiconf);
            CHECK(lab.ca.ledger().status(serial_of(heard)) == labca::Ledger::Status::revoked);
        }
        SUBCASE("another sender changes nothing") {
            Client client = lab.client();
            const Heard heard = begin(client);
            Client other = lab.client("CN=other");
            other.transaction_id = client.transaction_id;
            other.recip_nonce = client.recip_nonce;
            CHECK(other.next(confirm(heard.certificate()))
                      .refused_for(PKIFailureInfo::transactionIdInUse));
            CHECK(client.next(confirm(heard.certificate())).type() == BodyType::pkiconf);
        }
        SUBCASE("another nonce changes nothing") {
            Client client = lab.client();
            const Heard heard = begin(client);
            const Bytes right = client.recip_nonce;
            client.recip_nonce[0] ^= 1U;
            CHECK(client.next(confirm(heard.certificate()))
                      .refused_for(PKIFailureInfo::badRecipientNonce));
            client.recip_nonce = right;
            CHECK(client.next(confirm(heard.certificate())).type() == BodyType::pkiconf);
        }
        SUBCASE("too late") {
            Client client = lab.client();
            const Heard heard = begin(client);
            lab.clock.pass(std::chrono::seconds{301});
            CHECK(
                client.next(confirm(heard.certificate())).refused_for(PKIFailureInfo::badRequest));
            CHECK(lab.ca.open_transactions() == 0);
        }
    }

    TEST_CASE("polling: waiting, pollRep as often as configured, then the certificate") {
        labca::Settings settings;
        settings.poll_count = 2;
        settings.check_after = std::chrono::seconds{7};
        Lab lab{std::move(settings)};
        Client client = lab.client();
        const auto key = new_key();
        const Heard waiting = client.begin(request(BodyType::ir, *key));
        CHECK(waiting.status().status == PKIStatus::waiting);
        CHECK(waiting.certificate().empty());
        CHECK(lab.ca.ledger().size() == 1);  // nothing issued yet
        for (int poll = 0; poll < 2; ++poll) {
            const Heard later = client.next(cmp::build_poll_req_body(0));
            REQUIRE(later.type() == BodyType::pollRep);
            const auto reps = cmp::parse_poll_rep(later.message->content, 0, {}).value();
            CHECK(reps.at(0).check_after == 7);
        }
        const Heard heard = client.next(cmp::build_poll_req_body(0));
        check_issued(lab, heard, *key, "CN=device");
        CHECK(client.next(confirm(heard.certificate())).type() == BodyType::pkiconf);
    }

    TEST_CASE("transactionID: in use, and bounded in count") {
        labca::Settings settings;
        settings.open_transactions = 2;
        Lab lab{std::move(settings)};
        Client client = lab.client();
        const Bytes body = request(BodyType::ir, *new_key());
        const Heard first = client.begin(body);
        client.recip_nonce.clear();
        const Heard again = client.next(body);
        CHECK(again.type() == BodyType::error);
        CHECK(again.refused_for(PKIFailureInfo::transactionIdInUse));
        CHECK(client.begin(body).status().status == PKIStatus::accepted);
        CHECK(client.begin(body).refused_for(PKIFailureInfo::systemUnavail));
        lab.clock.pass(std::chrono::seconds{301});
        CHECK(client.begin(body).status().status == PKIStatus::accepted);
        CHECK(lab.ca.open_transactions() == 1);
    }

    TEST_CASE("the ledger knows each serial, to whom and in which transaction") {
        Lab lab;
        Client a = lab.client("CN=a"), b = lab.client("CN=b");
        a.implicit_confirm = b.implicit_confirm = true;
        const Heard first = a.begin(request(BodyType::ir, *new_key(), "CN=a"));
        const Heard second = b.begin(request(BodyType::ir, *new_key(), "CN=b"));
        const auto entries = lab.ca.ledger().entries();
        REQUIRE(entries.size() == 4);
        CHECK(entries[2].transaction_id == a.transaction_id);
        CHECK(entries[3].transaction_id == b.transaction_id);
        CHECK(entries[2].principal != entries[3].principal);
        CHECK(
            equal(entries[2].serial, asn1::parse_certificate(first.certificate()).value().serial));
        CHECK(entries[2].serial != entries[3].serial);
    }

    TEST_CASE("validity: clamped to the CA's, said by grantedWithMods; extensions copied") {
        Lab lab;
        Client client = lab.client();
        const auto key = new_key();
        const Bytes usage =
            crypto::ext_key_usage_extension({asn1::oid("1.3.6.1.5.5.7.3.2").view()});
        const Heard heard = client.begin(request(BodyType::ir, *key, "CN=device", usage));
        const auto certificate = crypto::Certificate::parse(heard.certificate()).value();
        CHECK(heard.status().status == PKIStatus::accepted);
        CHECK(certificate->extended_key_usage().size() == 1);
        CHECK(certificate->view().not_after <= lab.ca.certificate()->view().not_after);
        CHECK(certificate->view().not_after == lab.clock.wall_now() + std::chrono::hours{24 * 365});

        // An extension nobody knows is left out, and that is said.
        asn1::DerWriter unknown;
        {
            const auto extension = unknown.open(asn1::Tag::sequence);
            unknown.oid(asn1::oid("1.2.3.4").view());
            unknown.octet_string(Bytes{5, 0});
        }
        const Heard less = client.begin(request(BodyType::ir, *key, "CN=device", unknown.view()));
        CHECK(less.status().status == PKIStatus::grantedWithMods);
    }
}

}  // namespace labca_test
