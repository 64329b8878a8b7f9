#include "tests/support/pki.h"

#include "ra/asn1/der_writer.h"
#include "ra/cmp/build.h"
#include "ra/cmp/oids.h"

namespace test {

using namespace ra;
using crypto::PrivateKey;

namespace {

constexpr std::size_t kDevices = 6;
constexpr std::chrono::hours kYears{24 * 365 * 5};
constexpr std::string_view kRoot = "CN=Test Root,O=Example";
constexpr std::string_view kForeignRoot = "CN=Foreign Root,O=Elsewhere";

crypto::CertificatePtr parsed(ByteView der) { return crypto::Certificate::parse(der).value(); }

crypto::CredentialPtr credential(std::string name, crypto::PrivateKeyPtr key, ByteView der) {
    auto made = std::make_shared<crypto::Credential>();
    made->name = std::move(name);
    made->key = std::move(key);
    made->certificate = parsed(der);
    made->chain = {made->certificate};
    return made;
}

std::string device_name(std::size_t number) {
    return "CN=device " + std::to_string(number) + ",O=Example";
}

/// ProofOfPossession ::= CHOICE { signature [1] POPOSigningKey, ... } (RFC 4211 4).
Bytes prove_possession(ByteView cert_request, const PrivateKey& key) {
    const Bytes signature = key.sign(cert_request).value();
    asn1::DerWriter writer;
    {
        auto choice = writer.open(asn1::context(1));
        writer.raw(key.algorithm());
        writer.bit_string(signature);
    }
    return std::move(writer).take();
}

Pki::Device make_device(std::size_t number, const PrivateKey& root_key) {
    Pki::Device device;
    const std::string name = device_name(number);
    auto key = PrivateKey::generate("ec:P-256");
    device.credential = credential(name, key, issue(name, key->spki(), kRoot, root_key));
    device.new_key = PrivateKey::generate("ec:P-256");
    const Bytes subject = crypto::name_of(name);
    const Bytes cert_template = cmp::build_cert_template(subject, device.new_key->spki());
    const Bytes cert_request = cmp::build_cert_request(0, cert_template);
    const Bytes popo = prove_possession(cert_request, *device.new_key);
    device.request = cmp::build_cert_req_body(cmp::BodyType::ir, cert_request, popo);
    device.issued = issue(name, device.new_key->spki(), kRoot, root_key);
    return device;
}

}  // namespace

Bytes issue(std::string_view subject, ByteView spki, std::string_view issuer,
            const PrivateKey& issuer_key, bool ca, const std::vector<ByteView>& eku) {
    static std::uint32_t last_serial = 0x01000000;
    const std::uint32_t number = ++last_serial;
    const std::uint8_t serial[] = {
        static_cast<std::uint8_t>(number >> 24U), static_cast<std::uint8_t>(number >> 16U),
        static_cast<std::uint8_t>(number >> 8U), static_cast<std::uint8_t>(number)};
    constexpr std::uint16_t kDigitalSignature = 1U << 0U, kCertSign = 1U << 5U, kCrlSign = 1U << 6U;
    Bytes extensions = crypto::subject_key_id_extension(spki);
    append(extensions, crypto::key_usage_extension(ca ? std::uint16_t{kCertSign | kCrlSign}
                                                      : kDigitalSignature));
    if (ca) append(extensions, crypto::basic_constraints_extension(true));
    if (!eku.empty()) append(extensions, crypto::ext_key_usage_extension(eku));

    const Bytes issuer_name = crypto::name_of(issuer), subject_name = crypto::name_of(subject);
    const crypto::CertificateFields fields{
        serial, issuer_name, subject_name, Pki::kNow - kYears, Pki::kNow + kYears,
        spki,   extensions};
    return crypto::build_certificate(fields, issuer_key).value();
}

const Pki& Pki::get() {
    static const Pki pki;
    return pki;
}

Pki::Pki() : root_key{PrivateKey::generate("ec:P-256")} {
    root = parsed(issue(kRoot, root_key->spki(), kRoot, *root_key, true));
    trust = crypto::TrustStore::of({root});

    auto key = PrivateKey::generate("ec:P-256");
    const ByteView cmc_ca = cmp::oid::kCmcCa.view();
    responder = credential(
        "CA", key, issue("CN=Test CA,O=Example", key->spki(), kRoot, *root_key, false, {cmc_ca}));
    key = PrivateKey::generate("ec:P-256");
    gateway = credential("RA", key, issue("CN=Test RA,O=Example", key->spki(), kRoot, *root_key));
    const auto foreign_key = PrivateKey::generate("ec:P-256");
    key = PrivateKey::generate("ec:P-256");
    stranger =
        credential("stranger", key, issue(device_name(0), key->spki(), kForeignRoot, *foreign_key));

    for (std::size_t number = 0; number < kDevices; ++number) {
        devices.push_back(make_device(number, *root_key));
    }
}

}  // namespace test
