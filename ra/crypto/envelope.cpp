#include "ra/crypto/envelope.h"

#include "ra/asn1/der_reader.h"
#include "ra/asn1/oids.h"

namespace ra::crypto {
namespace {

/// Certificates for extraCerts, each once. More than fit are left out: the first ones are the
/// protector's own chain, which is what the receiver cannot do without.
class CertificateList {
public:
    void add(ByteView certificate) noexcept {
        if (count_ == list_.size()) return;
        for (std::size_t i = 0; i < count_; ++i) {
            if (equal(list_[i], certificate)) return;
        }
        list_[count_++] = certificate;
        octets_ += certificate.size();
    }
    void add_all(ByteView certificates) noexcept {
        asn1::DerReader reader{certificates};
        while (!reader.at_end()) {
            const auto one = reader.read_any("extraCerts");
            if (!one) return;
            add(one->whole);
        }
    }
    [[nodiscard]] std::span<const ByteView> view() const noexcept { return {list_.data(), count_}; }
    [[nodiscard]] std::size_t octets() const noexcept { return octets_; }

private:
    std::array<ByteView, 32> list_;
    std::size_t count_ = 0, octets_ = 0;
};

constexpr std::size_t kProtectionGuess = 80;  // an ECDSA P-256 signature with its headers

/// Name ::= one RDN with commonName. Empty if the reference is not text.
Bytes reference_name(ByteView reference) {
    constexpr asn1::Oid kCommonName = asn1::oid("2.5.4.3");
    asn1::DerWriter text{reference.size() + 8};
    text.tlv(asn1::Tag::utf8_string, reference);
    if (!asn1::DerReader{text.view()}.read_utf8("commonName")) return {};
    asn1::DerWriter writer{reference.size() + 32};
    {
        const auto name = writer.open(asn1::Tag::sequence);
        const auto rdn = writer.open(asn1::Tag::set);
        const auto attribute = writer.open(asn1::Tag::sequence);
        writer.oid(kCommonName.view());
        writer.raw(text.view());
    }
    return std::move(writer).take();
}

}  // namespace

Result<Bytes> sign_message(const Credential& credential, Unprotected message) {
    CertificateList certificates;
    for (const CertificatePtr& one : credential.chain) certificates.add(one->der());
    certificates.add_all(message.more_certs);
    message.header.sender_name = credential.certificate->subject();
    message.header.protection_alg = credential.key->algorithm();
    message.header.sender_kid = credential.sender_kid();
    cmp::MessageWriter writer{message.header, message.body,
                              certificates.octets() + 2 * kProtectionGuess};
    RA_TRY(const Bytes signature, credential.key->sign(writer.protected_part()));
    return std::move(writer).finish(signature, certificates.view());
}

Result<Bytes> mac_message(const MacKey& key, ByteView algorithm, ByteView reference,
                          Unprotected message) {
    CertificateList certificates;
    certificates.add_all(message.more_certs);
    const Bytes name = reference_name(reference);
    message.header.sender = {};
    message.header.sender_name = name;
    message.header.protection_alg = algorithm;
    message.header.sender_kid = reference;
    cmp::MessageWriter writer{message.header, message.body,
                              certificates.octets() + 2 * kProtectionGuess};
    RA_TRY(const Bytes mac, key.compute(writer.protected_part()));
    return std::move(writer).finish(mac, certificates.view());
}

}  // namespace ra::crypto
