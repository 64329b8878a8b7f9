#include "ra/labca/lab_ca.h"

#include <stdexcept>

#include "ra/crypto/files.h"
#include "ra/crypto/protection.h"
#include "ra/labca/said.h"

namespace ra::labca {

using cmp::BodyType;
using cmp::PKIFailureInfo;

namespace {

/// What of the header must hold before anything else (R-002..R-005).
Checked<void> judge_header(const cmp::PKIMessage& message) {
    const cmp::PKIHeader& header = message.header;
    if (header.pvno != 2 && header.pvno != 3)
        return Refused{PKIFailureInfo::unsupportedVersion, "pvno 2 and 3 are supported"};
    if (!header.transaction_id) return Refused{PKIFailureInfo::badDataFormat, "no transactionID"};
    if (!header.sender_nonce) return Refused{PKIFailureInfo::badSenderNonce, "no senderNonce"};
    const bool follows = message.type == BodyType::certConf || message.type == BodyType::pollReq;
    if (follows != header.recip_nonce.has_value())
        return Refused{PKIFailureInfo::badRecipientNonce, "recipNonce"};
    return {};
}

}  // namespace

LabCa::LabCa(Settings settings, const Clock& clock, Random& random)
    : settings_{std::move(settings)},
      clock_{clock},
      authority_{settings_, clock, random},
      origin_{settings_, authority_.certificate(), clock},
      ledger_{settings_.certificates},
      transactions_{settings_.open_transactions} {}

asio::awaitable<Reply> LabCa::exchange(Arrival arrival) {
    cmp::MessageBuffer buffer{std::move(arrival.der)};
    const auto parsed = cmp::parse_pki_message(buffer.view(), settings_.limits);
    if (parsed) {
        Bytes answered = answer(*parsed);
        if (answered.empty()) co_return Overloaded{};
        co_return Answer{std::move(answered)};
    }

    const cmp::Salvage salvaged = cmp::salvage(buffer.view(), settings_.limits);
    const Bytes nonce = authority_.random_octets(kNonceOctets);
    const Bytes sender = authority_.responder()->sender();
    cmp::HeaderFields fields;
    fields.pvno = salvaged.pvno == 3 ? 3 : 2;
    fields.sender = sender;
    fields.message_time = clock_.wall_now();
    fields.transaction_id = salvaged.transaction_id;
    fields.sender_nonce = nonce;
    fields.recip_nonce = salvaged.sender_nonce;
    const Bytes body =
        cmp::build_error_body(rejection({PKIFailureInfo::badDataFormat, "message does not parse"}));
    Bytes der = cmp::build_pki_message(cmp::build_header(fields), body, {}, {});
    if (salvaged.transaction_id.empty()) co_return NotCmp{NotCmp::Why::malformed, std::move(der)};
    co_return Answer{std::move(der)};
}

Bytes LabCa::answer(const cmp::PKIMessage& message) {
    if (const auto good = judge_header(message); !good)
        return error(message, nullptr, good.error());
    const auto open = transactions_.find(*message.header.transaction_id, clock_.boot_now());
    auto sender = origin_.verify(message, open ? open->signer : nullptr);
    if (!sender) return error(message, nullptr, sender.error());

    if (message.type == BodyType::nested) {
        auto inner = unwrap(message, *sender);
        return inner ? std::move(*inner) : error(message, &*sender, inner.error());
    }
    auto said = handle(message, *sender);
    return said ? build(message, &*sender, std::move(*said))
                : error(message, &*sender, said.error());
}

/// A nested single: the RA's signature says it approved, the answer is the inner message's
/// (R-081..R-084).
Checked<Bytes> LabCa::unwrap(const cmp::PKIMessage& nested, const Authentic& sender) {
    if (!sender.requester.is_ra) return Refused{PKIFailureInfo::notAuthorized, "nested by no RA"};
    const auto inner = cmp::parse_nested(nested.content, 0, settings_.limits);
    if (!inner) return Refused{PKIFailureInfo::badDataFormat, "nested"};
    if (inner->size() != 1) return Refused{PKIFailureInfo::badRequest, "batches are not taken"};
    const cmp::PKIMessage& message = inner->front();
    const auto same = [](const std::optional<ByteView>& a, const std::optional<ByteView>& b) {
        return a && b && equal(*a, *b);
    };
    if (!same(message.header.transaction_id, nested.header.transaction_id) ||
        !same(message.header.sender_nonce, nested.header.sender_nonce) ||
        message.type == BodyType::nested) {
        return Refused{PKIFailureInfo::badRequest, "not a nested single"};
    }
    return answer(message);
}

Checked<LabCa::Said> LabCa::handle(const cmp::PKIMessage& message, const Authentic& sender) {
    // Its own certificate, but no longer good: it may still be told that it was revoked.
    const crypto::CertificatePtr& signer = sender.requester.certificate;
    if (message.type != BodyType::rr && signer != nullptr &&
        equal(signer->view().issuer, certificate()->subject()) &&
        ledger_.status(signer->view().serial) == Ledger::Status::revoked) {
        return Refused{PKIFailureInfo::certRevoked, "the sender's certificate is revoked"};
    }
    switch (message.type) {
        case BodyType::ir:
        case BodyType::cr:
        case BodyType::kur:
        case BodyType::p10cr:
            return on_cert_request(message, sender);
        case BodyType::certConf:
            return on_cert_conf(message, sender);
        case BodyType::pollReq:
            return on_poll(message, sender);
        case BodyType::rr:
            return on_rr(message, sender);
        case BodyType::genm:
            return on_genm(message);
        default:
            return Refused{PKIFailureInfo::badRequest, "not a request this CA answers"};
    }
}

Bytes LabCa::error(const cmp::PKIMessage& request, const Authentic* sender,
                   const Refused& refused) {
    return build(request, sender,
                 {cmp::build_error_body(rejection(refused)), authority_.random_octets(kNonceOctets),
                  false, std::nullopt});
}

/// Header as R-037 wants it; protected as the request was, once that verified, else signed.
Bytes LabCa::build(const cmp::PKIMessage& request, const Authentic* sender, Said said) {
    const bool by_mac = sender != nullptr && sender->mac.has_value();
    const crypto::Credential& signer = *authority_.responder();
    const Bytes name = signer.sender();
    cmp::HeaderFields fields;
    fields.pvno = request.header.pvno < 3 ? 2 : 3;
    fields.sender = name;
    fields.recipient = request.header.sender;
    fields.message_time = clock_.wall_now();
    fields.protection_alg = by_mac ? request.header.protection_alg->whole : signer.key->algorithm();
    fields.sender_kid = by_mac ? ByteView{sender->reference} : signer.sender_kid();
    fields.transaction_id = request.header.transaction_id.value_or(ByteView{});
    fields.sender_nonce = said.nonce;
    fields.recip_nonce = request.header.sender_nonce.value_or(ByteView{});
    fields.implicit_confirm = said.implicit_confirm;
    fields.confirm_wait_time = said.confirm_wait_time;
    const Bytes header = cmp::build_header(fields);
    auto message = by_mac ? crypto::protect_with_mac(*sender->mac, header, said.body, {})
                          : crypto::protect(signer, header, said.body);
    // Signing with our own key failed: without a protection nothing is left to say.
    return message ? std::move(*message) : Bytes{};
}

crypto::CredentialPtr LabCa::issue_device_certificate(std::string_view subject,
                                                      std::string_view key_kind, Bytes extensions) {
    auto made = std::make_shared<crypto::Credential>();
    made->name = std::string(subject);
    made->key = crypto::PrivateKey::generate(key_kind);
    Wanted wanted;
    wanted.subject = crypto::name_of(subject);
    wanted.spki = to_bytes(made->key->spki());
    wanted.extensions = std::move(extensions);
    auto granted = authority_.issue(wanted);
    if (!granted) throw std::runtime_error("lab CA: " + std::string(granted.error().text));
    auto certificate = crypto::Certificate::parse(granted->certificate);
    if (!certificate) throw std::runtime_error("lab CA: certificate does not parse");
    if (!ledger_.add({std::move(granted->serial), to_bytes(as_bytes("made here")), {}, false}))
        throw std::runtime_error("lab CA: it has issued all it may");
    made->certificate = *certificate;
    made->chain = {*certificate};
    return made;
}

std::string LabCa::certificate_pem() const {
    return crypto::pem_text("CERTIFICATE", certificate()->der());
}

Result<Bytes> LabCa::crl() const {
    const Ledger::Revocations now = ledger_.revocations();
    return authority_.crl(now.list, now.number);
}

}  // namespace ra::labca
