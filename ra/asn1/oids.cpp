#include "ra/asn1/oids.h"

namespace ra::asn1 {
namespace {

struct Named {
    Oid oid;
    std::string_view name;
};

constexpr Named kNames[] = {
    {oid("2.5.4.3"), "CN"},
    {oid("2.5.4.4"), "SN"},
    {oid("2.5.4.5"), "serialNumber"},
    {oid("2.5.4.6"), "C"},
    {oid("2.5.4.7"), "L"},
    {oid("2.5.4.8"), "ST"},
    {oid("2.5.4.9"), "STREET"},
    {oid("2.5.4.10"), "O"},
    {oid("2.5.4.11"), "OU"},
    {oid("2.5.4.12"), "title"},
    {oid("2.5.4.42"), "GN"},
    {oid("2.5.4.97"), "organizationIdentifier"},
    {oid("0.9.2342.19200300.100.1.1"), "UID"},
    {oid("0.9.2342.19200300.100.1.25"), "DC"},
    {oid("1.2.840.113549.1.9.1"), "emailAddress"},
    {oid("1.2.840.113549.1.9.14"), "extensionRequest"},
    {oid("2.5.29.14"), "subjectKeyIdentifier"},
    {oid("2.5.29.15"), "keyUsage"},
    {oid("2.5.29.17"), "subjectAltName"},
    {oid("2.5.29.19"), "basicConstraints"},
    {oid("2.5.29.20"), "cRLNumber"},
    {oid("2.5.29.21"), "reasonCode"},
    {oid("2.5.29.30"), "nameConstraints"},
    {oid("2.5.29.31"), "cRLDistributionPoints"},
    {oid("2.5.29.32"), "certificatePolicies"},
    {oid("2.5.29.35"), "authorityKeyIdentifier"},
    {oid("2.5.29.37"), "extKeyUsage"},
    {oid("1.3.6.1.5.5.7.1.1"), "authorityInfoAccess"},
    {oid("1.3.6.1.5.5.7.3.1"), "serverAuth"},
    {oid("1.3.6.1.5.5.7.3.2"), "clientAuth"},
    {oid("1.3.6.1.5.5.7.3.3"), "codeSigning"},
    {oid("1.3.6.1.5.5.7.3.4"), "emailProtection"},
    {oid("1.3.6.1.5.5.7.3.8"), "timeStamping"},
    {oid("1.3.6.1.5.5.7.3.9"), "OCSPSigning"},
    {oid("1.3.6.1.5.5.7.3.27"), "cmcCA"},
    {oid("1.3.6.1.5.5.7.3.28"), "cmcRA"},
    {oid("1.3.6.1.5.5.7.3.32"), "cmKGA"},
    {oid("1.3.6.1.5.5.7.4.1"), "caProtEncCert"},
    {oid("1.3.6.1.5.5.7.4.2"), "signKeyPairTypes"},
    {oid("1.3.6.1.5.5.7.4.3"), "encKeyPairTypes"},
    {oid("1.3.6.1.5.5.7.4.4"), "preferredSymmAlg"},
    {oid("1.3.6.1.5.5.7.4.5"), "caKeyUpdateInfo"},
    {oid("1.3.6.1.5.5.7.4.6"), "currentCRL"},
    {oid("1.3.6.1.5.5.7.4.7"), "unsupportedOIDs"},
    {oid("1.3.6.1.5.5.7.4.10"), "keyPairParamReq"},
    {oid("1.3.6.1.5.5.7.4.11"), "keyPairParamRep"},
    {oid("1.3.6.1.5.5.7.4.12"), "revPassphrase"},
    {oid("1.3.6.1.5.5.7.4.13"), "implicitConfirm"},
    {oid("1.3.6.1.5.5.7.4.14"), "confirmWaitTime"},
    {oid("1.3.6.1.5.5.7.4.15"), "origPKIMessage"},
    {oid("1.3.6.1.5.5.7.4.16"), "suppLangTags"},
    {oid("1.3.6.1.5.5.7.4.17"), "caCerts"},
    {oid("1.3.6.1.5.5.7.4.18"), "rootCaKeyUpdate"},
    {oid("1.3.6.1.5.5.7.4.19"), "certReqTemplate"},
    {oid("1.3.6.1.5.5.7.4.20"), "rootCaCert"},
    {oid("1.3.6.1.5.5.7.4.21"), "certProfile"},
    {oid("1.3.6.1.5.5.7.4.22"), "crlStatusList"},
    {oid("1.3.6.1.5.5.7.4.23"), "crls"},
    {oid("1.3.6.1.5.5.7.4.24"), "KemCiphertextInfo"},
    {oid("1.3.6.1.5.5.7.5.1.1"), "regToken"},
    {oid("1.3.6.1.5.5.7.5.1.2"), "authenticator"},
    {oid("1.3.6.1.5.5.7.5.1.3"), "pkiPublicationInfo"},
    {oid("1.3.6.1.5.5.7.5.1.4"), "pkiArchiveOptions"},
    {oid("1.3.6.1.5.5.7.5.1.5"), "oldCertID"},
    {oid("1.3.6.1.5.5.7.5.1.6"), "protocolEncrKey"},
    {oid("1.3.6.1.5.5.7.5.1.7"), "altCertTemplate"},
    {oid("1.3.6.1.5.5.7.5.1.11"), "algId"},
    {oid("1.3.6.1.5.5.7.5.1.12"), "rsaKeyLen"},
    {oid("1.3.6.1.5.5.7.5.2.1"), "utf8Pairs"},
    {oid("1.3.6.1.5.5.7.5.2.2"), "certReq"},
    {oid("1.2.840.113533.7.66.13"), "PasswordBasedMac"},
    {oid("1.2.840.113533.7.66.30"), "DHBasedMac"},
    {oid("1.2.840.113533.7.66.16"), "KemBasedMac"},
    {oid("1.2.840.113549.1.5.14"), "PBMAC1"},
    {oid("1.2.840.113549.1.5.12"), "PBKDF2"},
    {oid("1.2.840.113549.1.1.1"), "rsaEncryption"},
    {oid("1.2.840.113549.1.1.5"), "sha1WithRSAEncryption"},
    {oid("1.2.840.113549.1.1.10"), "RSASSA-PSS"},
    {oid("1.2.840.113549.1.1.14"), "sha224WithRSAEncryption"},
    {oid("1.2.840.113549.1.1.11"), "sha256WithRSAEncryption"},
    {oid("1.2.840.113549.1.1.12"), "sha384WithRSAEncryption"},
    {oid("1.2.840.113549.1.1.13"), "sha512WithRSAEncryption"},
    {oid("1.2.840.10045.2.1"), "ecPublicKey"},
    {oid("1.2.840.10045.4.3.1"), "ecdsa-with-SHA224"},
    {oid("1.2.840.10045.4.3.2"), "ecdsa-with-SHA256"},
    {oid("1.2.840.10045.4.3.3"), "ecdsa-with-SHA384"},
    {oid("1.2.840.10045.4.3.4"), "ecdsa-with-SHA512"},
    {oid("1.2.840.10045.3.1.7"), "P-256"},
    {oid("1.3.132.0.34"), "P-384"},
    {oid("1.3.132.0.35"), "P-521"},
    {oid("1.3.132.0.33"), "P-224"},
    {oid("1.3.101.112"), "Ed25519"},
    {oid("1.3.101.113"), "Ed448"},
    {oid("1.3.101.110"), "X25519"},
    {oid("1.3.101.111"), "X448"},
    {oid("2.16.840.1.101.3.4.2.1"), "SHA-256"},
    {oid("2.16.840.1.101.3.4.2.2"), "SHA-384"},
    {oid("2.16.840.1.101.3.4.2.3"), "SHA-512"},
    {oid("2.16.840.1.101.3.4.2.4"), "SHA-224"},
    {oid("2.16.840.1.101.3.4.2.12"), "SHAKE256"},
    {oid("1.3.14.3.2.26"), "SHA-1"},
    {oid("1.2.840.113549.2.7"), "hmacWithSHA1"},
    {oid("1.2.840.113549.2.9"), "hmacWithSHA256"},
    {oid("1.2.840.113549.2.10"), "hmacWithSHA384"},
    {oid("1.2.840.113549.2.11"), "hmacWithSHA512"},
    {oid("1.3.6.1.5.5.8.1.2"), "HMAC-SHA1"},
    {oid("2.16.840.1.101.3.4.3.17"), "ML-DSA-44"},
    {oid("2.16.840.1.101.3.4.3.18"), "ML-DSA-65"},
    {oid("2.16.840.1.101.3.4.3.19"), "ML-DSA-87"},
    {oid("2.16.840.1.101.3.4.4.1"), "ML-KEM-512"},
    {oid("2.16.840.1.101.3.4.4.2"), "ML-KEM-768"},
    {oid("2.16.840.1.101.3.4.4.3"), "ML-KEM-1024"},
};

}  // namespace

std::string dotted(ByteView content) {
    std::string text;
    std::uint64_t value = 0;
    bool first = true;
    bool open = false;
    for (const std::uint8_t octet : content) {
        if (value > (~std::uint64_t{0} >> 7U)) return "?";
        value = (value << 7U) | (octet & 0x7fU);
        open = (octet & 0x80U) != 0;
        if (open) continue;
        if (first) {
            const std::uint64_t root = value < 40 ? 0 : value < 80 ? 1 : 2;
            text = std::to_string(root) + '.' + std::to_string(value - root * 40);
            first = false;
        } else {
            text += '.' + std::to_string(value);
        }
        value = 0;
    }
    return first || open ? "?" : text;
}

Bytes parse_dotted(std::string_view text) {
    std::vector<std::uint64_t> arcs{0};
    bool digit = false;
    for (const char c : text) {
        if (c == '.') {
            if (!digit) return {};
            arcs.push_back(0);
            digit = false;
        } else if (c >= '0' && c <= '9') {
            if (arcs.back() > (std::uint64_t{1} << 56U)) return {};
            arcs.back() = arcs.back() * 10 + static_cast<std::uint64_t>(c - '0');
            digit = true;
        } else {
            return {};
        }
    }
    if (!digit || arcs.size() < 2 || arcs[0] > 2 || (arcs[0] < 2 && arcs[1] >= 40)) return {};
    arcs[1] += arcs[0] * 40;
    Bytes content;
    for (std::size_t i = 1; i < arcs.size(); ++i) {
        unsigned septets = 1;
        while (septets < 9 && (arcs[i] >> (7U * septets)) != 0) ++septets;
        for (; septets != 0; --septets) {
            const auto bits = static_cast<std::uint8_t>((arcs[i] >> (7U * (septets - 1))) & 0x7fU);
            content.push_back(septets > 1 ? static_cast<std::uint8_t>(bits | 0x80U) : bits);
        }
    }
    return content;
}

std::string oid_name(ByteView content) {
    for (const Named& named : kNames) {
        if (named.oid == content) return std::string(named.name);
    }
    return dotted(content);
}

Bytes oid_by_name(std::string_view name) {
    for (const Named& named : kNames) {
        if (named.name == name) return to_bytes(named.oid.view());
    }
    return {};
}

}  // namespace ra::asn1
