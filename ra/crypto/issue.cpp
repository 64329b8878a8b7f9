#include <stdexcept>

#include "ra/asn1/der_writer.h"
#include "ra/asn1/oids.h"
#include "ra/asn1/time.h"
#include "ra/crypto/signer.h"

/// Certificates and CRLs as the lab CA and the tests issue them (RFC 5280).
namespace ra::crypto {

using asn1::context;
using asn1::context_primitive;
using asn1::DerWriter;
using asn1::oid;
using asn1::Oid;
using asn1::Tag;

namespace {

/// Time: UTCTime until 2049 (RFC 5280 4.1.2.5).
void write_time(DerWriter& writer, WallTime when) {
    const std::string text = asn1::generalized_time(when);
    const bool utc = text < "20500000000000Z";
    if (utc) {
        writer.tlv(Tag::utc_time, as_bytes(std::string_view{text}.substr(2)));
    } else {
        writer.tlv(Tag::generalized_time, as_bytes(text));
    }
}

void write_extension(DerWriter& writer, const Oid& id, bool critical, ByteView value) {
    const auto extension = writer.open(Tag::sequence);
    writer.oid(id.view());
    if (critical) writer.boolean(true);
    writer.octet_string(value);
}

Bytes extension(const Oid& id, bool critical, ByteView value) {
    DerWriter writer;
    write_extension(writer, id, critical, value);
    return std::move(writer).take();
}

/// SEQUENCE { tbs, signatureAlgorithm, signatureValue }
Result<Bytes> sign_tbs(const Bytes& tbs, const PrivateKey& key) {
    RA_TRY(const Bytes signature, key.sign(tbs));
    DerWriter writer{tbs.size() + signature.size() + 64};
    {
        const auto outer = writer.open(Tag::sequence);
        writer.raw(tbs);
        writer.raw(key.algorithm());
        writer.bit_string(signature);
    }
    return std::move(writer).take();
}

}  // namespace

Result<Bytes> build_certificate(const CertificateFields& fields, const PrivateKey& issuer_key) {
    DerWriter writer{1024};
    {
        const auto tbs = writer.open(Tag::sequence);
        {
            const auto version = writer.open(context(0));
            writer.integer(2);
        }
        writer.big_integer(fields.serial);
        writer.raw(issuer_key.algorithm());
        writer.raw(fields.issuer);
        {
            const auto validity = writer.open(Tag::sequence);
            write_time(writer, fields.not_before);
            write_time(writer, fields.not_after);
        }
        writer.raw(fields.subject);
        writer.raw(fields.spki);
        if (!fields.extensions.empty()) {
            const auto tagged = writer.open(context(3));
            writer.tlv(Tag::sequence, fields.extensions);
        }
    }
    return sign_tbs(std::move(writer).take(), issuer_key);
}

Bytes basic_constraints_extension(bool ca) {
    DerWriter value;
    {
        const auto constraints = value.open(Tag::sequence);
        if (ca) value.boolean(true);
    }
    return extension(oid("2.5.29.19"), true, value.view());
}

Bytes key_usage_extension(std::uint16_t bits) {
    // Named bits: bit 0 is the highest of the first octet; no trailing zero bits.
    std::uint8_t octets[3]{};
    std::size_t highest = 0;
    for (std::size_t bit = 0; bit < 9; ++bit) {
        if ((bits & (1U << bit)) == 0) continue;
        octets[1 + bit / 8] = static_cast<std::uint8_t>(octets[1 + bit / 8] | (0x80U >> (bit % 8)));
        highest = bit;
    }
    octets[0] = static_cast<std::uint8_t>(7 - highest % 8);
    DerWriter value;
    value.tlv(Tag::bit_string, ByteView{octets}.first(2 + highest / 8));
    return extension(oid("2.5.29.15"), true, value.view());
}

Bytes ext_key_usage_extension(const std::vector<ByteView>& oids) {
    DerWriter value;
    {
        const auto list = value.open(Tag::sequence);
        for (const ByteView one : oids) value.oid(one);
    }
    return extension(oid("2.5.29.37"), false, value.view());
}

Bytes subject_key_id_extension(ByteView spki) {
    const Sha256 digest = sha256(spki);
    DerWriter value;
    value.octet_string(ByteView{digest}.first(20));
    return extension(oid("2.5.29.14"), false, value.view());
}

Bytes authority_key_id_extension(ByteView issuer_ski) {
    DerWriter value;
    {
        const auto identifier = value.open(Tag::sequence);
        value.tlv(context_primitive(0), issuer_ski);
    }
    return extension(oid("2.5.29.35"), false, value.view());
}

Bytes name_of(std::string_view text) {
    DerWriter writer;
    {
        const auto name = writer.open(Tag::sequence);
        while (!text.empty()) {
            const std::size_t comma = text.find(',');
            const std::string_view pair = text.substr(0, comma);
            text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
            const std::size_t equals = pair.find('=');
            const Bytes type = equals == std::string_view::npos
                                   ? Bytes{}
                                   : asn1::oid_by_name(pair.substr(0, equals));
            if (type.empty()) throw std::invalid_argument("not a name: " + std::string(pair));
            const auto rdn = writer.open(Tag::set);
            const auto attribute = writer.open(Tag::sequence);
            writer.oid(type);
            const bool country = pair.substr(0, equals) == "C";
            writer.tlv(country ? Tag::printable_string : Tag::utf8_string,
                       as_bytes(pair.substr(equals + 1)));
        }
    }
    return std::move(writer).take();
}

Result<Bytes> build_crl(ByteView issuer_name, WallTime this_update, WallTime next_update,
                        const std::vector<RevokedEntry>& revoked, std::uint64_t number,
                        ByteView issuer_ski, const PrivateKey& key) {
    DerWriter writer{1024};
    {
        const auto tbs = writer.open(Tag::sequence);
        writer.integer(1);
        writer.raw(key.algorithm());
        writer.raw(issuer_name);
        write_time(writer, this_update);
        write_time(writer, next_update);
        if (!revoked.empty()) {
            const auto list = writer.open(Tag::sequence);
            for (const RevokedEntry& one : revoked) {
                const auto entry = writer.open(Tag::sequence);
                writer.big_integer(one.serial);
                write_time(writer, one.when);
                const auto extensions = writer.open(Tag::sequence);
                const std::uint8_t reason[] = {static_cast<std::uint8_t>(Tag::enumerated), 1,
                                               static_cast<std::uint8_t>(one.reason)};
                write_extension(writer, oid("2.5.29.21"), false, reason);
            }
        }
        const auto tagged = writer.open(context(0));
        const auto extensions = writer.open(Tag::sequence);
        if (!issuer_ski.empty()) writer.raw(authority_key_id_extension(issuer_ski));
        DerWriter value;
        value.integer(static_cast<std::int64_t>(number));
        write_extension(writer, oid("2.5.29.20"), false, value.view());
    }
    return sign_tbs(std::move(writer).take(), key);
}

}  // namespace ra::crypto
