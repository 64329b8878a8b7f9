#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <optional>
#include <string>

#include "ra/asn1/der_writer.h"
#include "ra/cmp/build.h"
#include "ra/cmp/oids.h"
#include "ra/crypto/mac.h"
#include "ra/crypto/protection.h"
#include "ra/labca/lab_ca.h"
#include "tests/support/fake_clock.h"
#include "tests/support/messages.h"
#include "tests/support/run.h"
#include "tests/support/seeded_random.h"

/// A lab CA and clients that talk to it in this process.
namespace labca_test {

using namespace ra;
using cmp::BodyType;
using cmp::PKIFailureInfo;
using cmp::PKIStatus;

/// An answer, whole and owned.
struct Heard {
    explicit Heard(Bytes octets)
        : message{cmp::ParsedMessage::parse(cmp::MessageBuffer{std::move(octets)}, {}).value()} {}
    cmp::ParsedMessage message;

    [[nodiscard]] BodyType type() const { return message->type; }
    [[nodiscard]] cmp::CertResponse cert() const {
        return cmp::parse_cert_rep(message->content, 0, {}).value().responses.at(0);
    }
    [[nodiscard]] Bytes certificate() const { return to_bytes(cert().certificate); }
    /// PKIStatusInfo of whatever body this is.
    [[nodiscard]] cmp::PKIStatusInfo status() const {
        if (type() == BodyType::error)
            return cmp::parse_error(message->content, 0, {}).value().status;
        if (type() == BodyType::rp)
            return cmp::parse_rev_rep(message->content, 0, {}).value().status.at(0);
        return cert().status;
    }
    [[nodiscard]] bool refused_for(PKIFailureInfo info) const {
        const auto said = status();
        return said.status == PKIStatus::rejection &&
               said.fail_info == 1U << static_cast<unsigned>(info);
    }
};

/// A client in the middle of one transaction, protecting by a signature or by a MAC.
class Client {
public:
    Client(labca::LabCa& ca, const Clock& clock, crypto::CredentialPtr credential)
        : ca_{&ca}, clock_{&clock}, credential_{std::move(credential)} {}
    Client(labca::LabCa& ca, const Clock& clock, std::string reference, std::string secret)
        : ca_{&ca}, clock_{&clock}, reference_{std::move(reference)}, secret_{std::move(secret)} {}

    bool implicit_confirm = false;
    crypto::MacParameters mac{crypto::MacKind::passwordBasedMac, Bytes(16, 7), 500};

    /// Begins a transaction with this body TLV.
    Heard begin(ByteView body) {
        transaction_id = random().octets(16);
        recip_nonce.clear();
        return next(body);
    }
    /// The next message of it.
    Heard next(ByteView body) {
        Heard heard{deliver(build(body))};
        recip_nonce = to_bytes(heard.message->header.sender_nonce.value_or(ByteView{}));
        return heard;
    }
    [[nodiscard]] Bytes build(ByteView body) {
        test::Envelope envelope;
        envelope.credential = credential_;
        envelope.time = clock_->wall_now();
        envelope.transaction_id = transaction_id;
        envelope.sender_nonce = random().octets(16);
        envelope.recip_nonce = recip_nonce;
        envelope.implicit_confirm = implicit_confirm;
        if (credential_ != nullptr) return test::build_message(envelope, body);
        cmp::HeaderFields fields;
        const Bytes algorithm = crypto::build_mac_algorithm(mac);
        fields.protection_alg = algorithm;
        fields.sender_kid = as_bytes(reference_);
        fields.message_time = envelope.time;
        fields.transaction_id = envelope.transaction_id;
        fields.sender_nonce = envelope.sender_nonce;
        fields.recip_nonce = envelope.recip_nonce;
        fields.implicit_confirm = implicit_confirm;
        const auto key = crypto::MacKey::derive(mac, as_bytes(secret_)).value();
        return crypto::protect_with_mac(key, cmp::build_header(fields), body, {}).value();
    }
    [[nodiscard]] Bytes deliver(Bytes octets) {
        Arrival arrival;
        arrival.der = std::move(octets);
        return std::get<Answer>(test::run(ca_->exchange(std::move(arrival)))).der;
    }
    [[nodiscard]] static Random& random() {
        static std::atomic<std::uint64_t> seeds{1};
        thread_local test::SeededRandom seeded{seeds++};
        return seeded;
    }

    Bytes transaction_id, recip_nonce;

private:
    labca::LabCa* ca_;
    const Clock* clock_;
    crypto::CredentialPtr credential_;
    std::string reference_, secret_;
};

struct Lab {
    explicit Lab(labca::Settings settings = {}) : ca{std::move(settings), clock, random} {}

    test::FakeClock clock;
    test::SeededRandom random{2};
    labca::LabCa ca;

    [[nodiscard]] Client client(std::string_view subject = "CN=device") {
        return {ca, clock, ca.issue_device_certificate(subject)};
    }
    [[nodiscard]] Client client(crypto::CredentialPtr credential) {
        return {ca, clock, std::move(credential)};
    }
};

/// ProofOfPossession of `key` over a CertRequest.
inline Bytes popo(ByteView cert_request, const crypto::PrivateKey& key) {
    asn1::DerWriter writer;
    {
        const auto choice = writer.open(asn1::context(1));
        writer.raw(key.algorithm());
        writer.bit_string(key.sign(cert_request).value());
    }
    return std::move(writer).take();
}

/// An ir, cr or kur for `key`. `extensions`: Extension TLVs.
inline Bytes request(BodyType type, const crypto::PrivateKey& key,
                     std::string_view subject = "CN=device", ByteView extensions = {}) {
    const Bytes wanted = cmp::build_cert_request(
        0, cmp::build_cert_template(crypto::name_of(subject), key.spki(), extensions));
    return cmp::build_cert_req_body(type, wanted, popo(wanted, key));
}

/// A p10cr for `key`; attributes: content of [0].
inline Bytes pkcs10(const crypto::PrivateKey& key, std::string_view subject = "CN=device",
                    ByteView attributes = {}) {
    asn1::DerWriter info;
    {
        const auto sequence = info.open(asn1::Tag::sequence);
        info.integer(0);
        info.raw(crypto::name_of(subject));
        info.raw(key.spki());
        info.tlv(asn1::context(0), attributes);
    }
    asn1::DerWriter writer;
    {
        const auto body = writer.open(asn1::context(static_cast<unsigned>(BodyType::p10cr)));
        const auto sequence = writer.open(asn1::Tag::sequence);
        writer.raw(info.view());
        writer.raw(key.algorithm());
        writer.bit_string(key.sign(info.view()).value());
    }
    return std::move(writer).take();
}

inline Bytes confirm(ByteView certificate, std::int64_t cert_req_id = 0) {
    return cmp::build_cert_conf_body(crypto::cert_hash(certificate, std::nullopt).value(),
                                     cert_req_id);
}

inline crypto::PrivateKeyPtr new_key(std::string_view kind = "ec:P-256") {
    return crypto::PrivateKey::generate(kind);
}

}  // namespace labca_test
