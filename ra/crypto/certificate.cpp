#include "ra/crypto/certificate.h"

#include <stdexcept>

#include "ra/asn1/oids.h"
#include "ra/crypto/files.h"

namespace ra::crypto {
namespace {

using asn1::DerReader;
using asn1::Tag;

constexpr asn1::Oid kSubjectKeyIdentifier = asn1::oid("2.5.29.14");
constexpr asn1::Oid kKeyUsage = asn1::oid("2.5.29.15");
constexpr asn1::Oid kBasicConstraints = asn1::oid("2.5.29.19");
constexpr asn1::Oid kExtKeyUsage = asn1::oid("2.5.29.37");

/// KeyUsage ::= BIT STRING; digitalSignature is bit 0.
bool has_digital_signature(ByteView value) noexcept {
    DerReader reader{value};
    const auto bits = reader.read(Tag::bit_string, "keyUsage");
    return bits && bits->size() >= 2 && ((*bits)[1] & 0x80U) != 0;
}

/// BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL }
bool says_ca(ByteView value) noexcept {
    DerReader outer{value};
    const auto content = outer.read(Tag::sequence, "basicConstraints");
    if (!content) return false;
    DerReader reader{*content};
    if (reader.peek() != Tag::boolean) return false;
    const auto ca = reader.read_boolean("cA");
    return ca && *ca;
}

/// ExtKeyUsageSyntax ::= SEQUENCE SIZE (1..MAX) OF KeyPurposeId
Result<std::vector<ByteView>> purposes(ByteView value) {
    std::vector<ByteView> all;
    DerReader outer{value};
    RA_TRY(const ByteView content, outer.read(Tag::sequence, "extKeyUsage"));
    DerReader reader{content};
    while (!reader.at_end()) {
        RA_TRY(const ByteView purpose, reader.read_oid("extKeyUsage"));
        all.push_back(purpose);
    }
    return all;
}

}  // namespace

Certificate::Certificate(Bytes der, asn1::CertificateView view, PublicKey key)
    : der_{std::move(der)}, view_{std::move(view)}, key_{std::move(key)}, digest_{sha256(der_)} {}

Result<CertificatePtr> Certificate::parse(ByteView der) {
    Bytes own = to_bytes(der);
    RA_TRY(asn1::CertificateView view, asn1::parse_certificate(own));
    RA_TRY(PublicKey key, PublicKey::from_spki(view.spki));
    // Moving a vector keeps its octets where they are, and the view with them.
    const std::shared_ptr<Certificate> made{
        new Certificate{std::move(own), std::move(view), std::move(key)}};
    if (const auto usage = made->view_.extension(kKeyUsage.view()))
        made->may_sign_ = has_digital_signature(*usage);
    if (const auto constraints = made->view_.extension(kBasicConstraints.view()))
        made->is_ca_ = says_ca(*constraints);
    if (const auto identifier = made->view_.extension(kSubjectKeyIdentifier.view())) {
        DerReader reader{*identifier};
        RA_TRY(const ByteView octets, reader.read(Tag::octet_string, "subjectKeyIdentifier"));
        made->ski_ = octets;
    }
    if (const auto eku = made->view_.extension(kExtKeyUsage.view())) {
        RA_TRY(made->eku_, purposes(*eku));
    }
    return CertificatePtr{made};
}

std::vector<CertificatePtr> load_certificates(const std::string& path) {
    std::vector<CertificatePtr> all;
    for (const Bytes& der : load_objects(path, "CERTIFICATE")) {
        auto certificate = Certificate::parse(der);
        if (!certificate) {
            throw std::runtime_error(path + ": certificate " + std::to_string(all.size() + 1) +
                                     ": " + std::string(to_string(certificate.error().code)) +
                                     " in " + std::string(certificate.error().field));
        }
        all.push_back(std::move(*certificate));
    }
    return all;
}

}  // namespace ra::crypto
