#include "tests/ra/labca/lab.h"
#include "tests/support/bad_http_server.h"
#include "tests/support/misbehaving_ca.h"

namespace labca_test {
namespace {

using test::AnswerFault;

/// The answer to an ir, with a fault, and what it would have said without.
struct Spoilt {
    explicit Spoilt(AnswerFault fault) : bad{lab.ca, fault}, client{lab.client()}, key{new_key()} {
        client.transaction_id = Client::random().octets(16);
        octets = client.build(request(BodyType::ir, *key));
        Arrival arrival;
        arrival.der = octets;
        answer = std::get<Answer>(test::run(bad.exchange(std::move(arrival)))).der;
    }
    [[nodiscard]] Heard heard() const { return Heard{answer}; }
    [[nodiscard]] cmp::PKIMessage request_message() const {
        return cmp::parse_pki_message(octets, {}).value();
    }
    /// Does the responder's key verify it?
    [[nodiscard]] bool signed_well(const Heard& heard) const {
        return heard.message->protection.has_value() &&
               crypto::verify_signature_protection(*heard.message.operator->(),
                                                   lab.ca.responder()->key())
                   .has_value();
    }

    Lab lab;
    test::MisbehavingCa bad;
    Client client;
    crypto::PrivateKeyPtr key;
    Bytes octets, answer;
};

}  // namespace

TEST_SUITE("tests/support") {
    TEST_CASE("each fault is the one asked for, and the only one") {
        struct Row {
            AnswerFault fault;
            bool signed_well, nonce, transaction_id, body_type, own_key;
        };
        const Row rows[] = {
            {AnswerFault::none, true, true, true, true, true},
            {AnswerFault::wrong_recip_nonce, true, false, true, true, true},
            {AnswerFault::foreign_transaction_id, true, true, false, true, true},
            {AnswerFault::wrong_body_type, true, true, true, false, true},
            {AnswerFault::foreign_certificate, true, true, true, true, false},
            {AnswerFault::device_as_ca, false, true, true, true, true},
            {AnswerFault::stranger_as_ca, false, true, true, true, true},
            {AnswerFault::bad_signature, false, true, true, true, true},
            {AnswerFault::unprotected_answer, false, true, true, true, true},
            {AnswerFault::ca_pubs, true, true, true, true, true},
            {AnswerFault::implicit_confirm_unasked, true, true, true, true, true},
            {AnswerFault::status_inconsistent, true, true, true, true, true},
        };
        for (const Row& row : rows) {
            CAPTURE(static_cast<int>(row.fault));
            const Spoilt spoilt{row.fault};
            const Heard heard = spoilt.heard();
            const auto sent = spoilt.request_message();
            CHECK(spoilt.signed_well(heard) == row.signed_well);
            CHECK(equal(*heard.message->header.recip_nonce, *sent.header.sender_nonce) ==
                  row.nonce);
            CHECK(equal(*heard.message->header.transaction_id, *sent.header.transaction_id) ==
                  row.transaction_id);
            CHECK((heard.type() == BodyType::ip) == row.body_type);
            const Bytes certificate = heard.certificate();
            const auto view = asn1::parse_certificate(certificate).value();
            CHECK(crypto::same_public_key(view.spki, spoilt.key->spki()) == row.own_key);
            CHECK(equal(view.subject, crypto::name_of("CN=device")));
            CHECK(heard.message->header.implicit_confirm() ==
                  (row.fault == AnswerFault::implicit_confirm_unasked));
            CHECK((heard.status().status == PKIStatus::rejection) ==
                  (row.fault == AnswerFault::status_inconsistent));
            const auto rep = cmp::parse_cert_rep(heard.message->content, 0, {}).value();
            CHECK(rep.ca_pubs.size() == (row.fault == AnswerFault::ca_pubs ? 1 : 0));
        }
    }

    TEST_CASE("an unprotected error, and half a message") {
        const Spoilt error{AnswerFault::unprotected_error};
        CHECK(error.heard().type() == BodyType::error);
        CHECK_FALSE(error.heard().message->protection.has_value());
        const Spoilt half{AnswerFault::truncated};
        CHECK_FALSE(cmp::parse_pki_message(half.answer, {}).has_value());
    }

    TEST_CASE("faults by name: all different, all found") {
        for (const std::string_view name : test::answer_fault_names()) {
            CHECK(test::answer_fault(name).has_value());
            CHECK_FALSE(test::delivery_fault(name).has_value());
        }
        for (const std::string_view name : test::delivery_fault_names())
            CHECK(test::delivery_fault(name).has_value());
        CHECK_FALSE(test::answer_fault("no-such-fault").has_value());
    }
}

}  // namespace labca_test
