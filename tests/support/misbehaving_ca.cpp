#include "tests/support/misbehaving_ca.h"

#include <array>

#include "ra/asn1/name.h"
#include "ra/cmp/build.h"

namespace test {

using namespace ra;
using cmp::BodyType;
using cmp::PKIStatus;

namespace {

struct Named {
    AnswerFault fault;
    std::string_view name;
};
constexpr std::array kNames = {
    Named{AnswerFault::none, "none"},
    Named{AnswerFault::wrong_recip_nonce, "wrong-recip-nonce"},
    Named{AnswerFault::foreign_transaction_id, "foreign-transaction-id"},
    Named{AnswerFault::wrong_body_type, "wrong-body-type"},
    Named{AnswerFault::foreign_certificate, "foreign-certificate"},
    Named{AnswerFault::device_as_ca, "device-as-ca"},
    Named{AnswerFault::stranger_as_ca, "stranger-as-ca"},
    Named{AnswerFault::bad_signature, "bad-signature"},
    Named{AnswerFault::unprotected_error, "unprotected-error"},
    Named{AnswerFault::unprotected_answer, "unprotected-answer"},
    Named{AnswerFault::truncated, "truncated"},
    Named{AnswerFault::ca_pubs, "ca-pubs"},
    Named{AnswerFault::implicit_confirm_unasked, "implicit-confirm-unasked"},
    Named{AnswerFault::status_inconsistent, "status-inconsistent"},
};

BodyType another(BodyType type) { return type == BodyType::ip ? BodyType::cp : BodyType::ip; }

}  // namespace

std::optional<AnswerFault> answer_fault(std::string_view name) {
    for (const Named& one : kNames) {
        if (one.name == name) return one.fault;
    }
    return std::nullopt;
}

std::vector<std::string_view> answer_fault_names() {
    std::vector<std::string_view> names;
    for (const Named& one : kNames) names.push_back(one.name);
    return names;
}

MisbehavingCa::MisbehavingCa(labca::LabCa& ca, AnswerFault fault)
    : ca_{ca},
      fault_{fault},
      device_{ca.issue_device_certificate("CN=device that answers")},
      stranger_{{}, clock_, random_} {}

asio::awaitable<Reply> MisbehavingCa::exchange(Arrival arrival) {
    Reply reply = co_await ca_.exchange(std::move(arrival));
    auto* const answer = std::get_if<Answer>(&reply);
    if (answer != nullptr && fault_ != AnswerFault::none) answer->der = spoil(answer->der);
    co_return reply;
}

Bytes MisbehavingCa::with_certificate(const cmp::PKIMessage& answer, ByteView certificate,
                                      PKIStatus status, ByteView ca_pubs) {
    const auto rep = cmp::parse_cert_rep(answer.content, 0, {}).value();
    const cmp::CertResponse& response = rep.responses.at(0);
    if (response.certificate.empty()) return to_bytes(answer.body);
    return cmp::build_cert_rep_body(
        answer.type, response.cert_req_id, cmp::build_status_info(status, std::nullopt, {}),
        certificate.empty() ? response.certificate : certificate, ca_pubs);
}

Bytes MisbehavingCa::spoil_body(const cmp::PKIMessage& answer) {
    if (fault_ == AnswerFault::unprotected_error) {
        return cmp::build_error_body(cmp::build_status_info(
            PKIStatus::rejection, cmp::PKIFailureInfo::systemFailure, "out of order"));
    }
    if (!cmp::is_cert_response(answer.type)) {
        return fault_ == AnswerFault::wrong_body_type ? cmp::build_poll_rep_body(0, 1)
                                                      : to_bytes(answer.body);
    }
    switch (fault_) {
        case AnswerFault::wrong_body_type: {
            Bytes body = to_bytes(answer.body);
            body[0] = static_cast<std::uint8_t>(
                asn1::context(static_cast<unsigned>(another(answer.type))));
            return body;
        }
        case AnswerFault::foreign_certificate: {
            const auto rep = cmp::parse_cert_rep(answer.content, 0, {}).value();
            const ByteView own = rep.responses.at(0).certificate;
            if (own.empty()) return to_bytes(answer.body);
            const auto subject = asn1::parse_certificate(own).value().subject;
            const auto foreign = ca_.issue_device_certificate(asn1::name_text(subject));
            return with_certificate(answer, foreign->certificate->der(), PKIStatus::accepted, {});
        }
        case AnswerFault::ca_pubs:
            return with_certificate(answer, {}, PKIStatus::accepted,
                                    stranger_.certificate()->der());
        case AnswerFault::status_inconsistent:
            return with_certificate(answer, {}, PKIStatus::rejection, {});
        default:
            return to_bytes(answer.body);
    }
}

Bytes MisbehavingCa::spoil(ByteView answer) {
    if (fault_ == AnswerFault::truncated) return to_bytes(answer.first(answer.size() / 2));
    if (fault_ == AnswerFault::bad_signature) {
        Bytes changed = to_bytes(answer);
        const auto parsed = cmp::parse_pki_message(answer, {}).value();
        if (parsed.protection) {
            const auto at = static_cast<std::size_t>(parsed.protection->data() - answer.data());
            changed.at(at + parsed.protection->size() - 1) ^= 1U;
        }
        return changed;
    }
    const cmp::PKIMessage message = cmp::parse_pki_message(answer, {}).value();
    const Bytes body = spoil_body(message);
    const bool unprotected =
        fault_ == AnswerFault::unprotected_error || fault_ == AnswerFault::unprotected_answer;
    const crypto::CredentialPtr signer = fault_ == AnswerFault::device_as_ca ? device_
                                         : fault_ == AnswerFault::stranger_as_ca
                                             ? stranger_.responder_for_test()
                                             : ca_.responder_for_test();
    const Bytes name = signer->sender();
    Bytes transaction_id = to_bytes(message.header.transaction_id.value_or(ByteView{}));
    Bytes recip_nonce = to_bytes(message.header.recip_nonce.value_or(ByteView{}));
    if (fault_ == AnswerFault::foreign_transaction_id) transaction_id.at(0) ^= 1U;
    if (fault_ == AnswerFault::wrong_recip_nonce) recip_nonce.at(0) ^= 1U;

    cmp::HeaderFields fields;
    fields.pvno = message.header.pvno;
    fields.sender = name;
    fields.recipient = message.header.recipient;
    fields.message_time = message.header.message_time;
    if (!unprotected) fields.protection_alg = signer->key->algorithm();
    fields.sender_kid = signer->sender_kid();
    fields.transaction_id = transaction_id;
    fields.sender_nonce = message.header.sender_nonce.value_or(ByteView{});
    fields.recip_nonce = recip_nonce;
    fields.implicit_confirm =
        message.header.implicit_confirm() ||
        (fault_ == AnswerFault::implicit_confirm_unasked && cmp::is_cert_response(message.type));
    const Bytes header = cmp::build_header(fields);
    if (unprotected) return cmp::build_pki_message(header, body, {}, {});
    return crypto::protect(*signer, header, body).value();
}

}  // namespace test
