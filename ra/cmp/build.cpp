#include "ra/cmp/build.h"

#include "ra/asn1/time.h"
#include "ra/cmp/oids.h"

namespace ra::cmp {

using asn1::context;
using asn1::DerWriter;
using asn1::Tag;

namespace {

constexpr std::uint8_t kNullDn[] = {0xa4, 0x02, 0x30, 0x00};

Tag body_tag(BodyType type) noexcept { return context(static_cast<unsigned>(type)); }

/// [number] EXPLICIT OCTET STRING, if there is one.
void optional_octets(DerWriter& writer, unsigned number, ByteView octets) {
    if (octets.empty()) return;
    const auto tagged = writer.open(context(number));
    writer.octet_string(octets);
}

void time(DerWriter& writer, WallTime when) {
    const std::string text = asn1::generalized_time(when);
    writer.tlv(Tag::generalized_time, as_bytes(text));
}

void general_info(DerWriter& writer, const HeaderFields& fields) {
    if (!fields.implicit_confirm && !fields.confirm_wait_time && fields.extra_general_info.empty())
        return;
    const auto tagged = writer.open(context(8));
    const auto list = writer.open(Tag::sequence);
    if (fields.implicit_confirm) {
        const auto info = writer.open(Tag::sequence);
        writer.oid(oid::kImplicitConfirm.view());
        writer.null();
    }
    if (fields.confirm_wait_time) {
        const auto info = writer.open(Tag::sequence);
        writer.oid(oid::kConfirmWaitTime.view());
        time(writer, *fields.confirm_wait_time);
    }
    writer.raw(fields.extra_general_info);
}

/// A body that is one CertResponse in a CertRepMessage.
Bytes cert_rep_body(BodyType type, std::int64_t cert_req_id, ByteView status_info,
                    ByteView certificate, ByteView ca_pubs) {
    DerWriter writer;
    {
        const auto body = writer.open(body_tag(type));
        const auto rep = writer.open(Tag::sequence);
        if (!ca_pubs.empty()) {
            const auto tagged = writer.open(context(1));
            writer.tlv(Tag::sequence, ca_pubs);
        }
        const auto responses = writer.open(Tag::sequence);
        const auto response = writer.open(Tag::sequence);
        writer.integer(cert_req_id);
        writer.raw(status_info);
        if (!certificate.empty()) {
            const auto pair = writer.open(Tag::sequence);
            writer.tlv(context(0), certificate);
        }
    }
    return std::move(writer).take();
}

}  // namespace

void write_header(DerWriter& writer, const HeaderFields& fields) {
    const auto header = writer.open(Tag::sequence);
    writer.integer(fields.pvno);
    if (!fields.sender_name.empty()) {
        writer.tlv(context(4), fields.sender_name);
    } else {
        writer.raw(fields.sender.empty() ? ByteView{kNullDn} : fields.sender);
    }
    writer.raw(fields.recipient.empty() ? ByteView{kNullDn} : fields.recipient);
    if (fields.message_time) {
        const auto tagged = writer.open(context(0));
        time(writer, *fields.message_time);
    }
    if (!fields.protection_alg.empty()) writer.tlv(context(1), fields.protection_alg);
    optional_octets(writer, 2, fields.sender_kid);
    optional_octets(writer, 3, fields.recip_kid);
    optional_octets(writer, 4, fields.transaction_id);
    optional_octets(writer, 5, fields.sender_nonce);
    optional_octets(writer, 6, fields.recip_nonce);
    if (!fields.free_text.empty()) {
        const auto tagged = writer.open(context(7));
        writer.tlv(Tag::sequence, fields.free_text);
    }
    general_info(writer, fields);
}

Bytes build_header(const HeaderFields& fields) {
    DerWriter writer;
    write_header(writer, fields);
    return std::move(writer).take();
}

Bytes general_name(ByteView name) {
    DerWriter writer;
    writer.tlv(context(4), name);
    return std::move(writer).take();
}

Bytes build_status_info(PKIStatus status, std::optional<PKIFailureInfo> info,
                        std::string_view text) {
    DerWriter writer;
    {
        const auto status_info = writer.open(Tag::sequence);
        writer.integer(static_cast<std::int64_t>(status));
        if (!text.empty()) {
            const auto texts = writer.open(Tag::sequence);
            writer.utf8(text);
        }
        if (info) {
            // A named bit list: no trailing zero bits (X.690 11.2.2).
            const auto bit = static_cast<std::size_t>(*info);
            std::uint8_t octets[1 + 4]{};
            octets[0] = static_cast<std::uint8_t>(7 - bit % 8);
            octets[1 + bit / 8] = static_cast<std::uint8_t>(0x80U >> (bit % 8));
            writer.tlv(Tag::bit_string, ByteView{octets}.first(2 + bit / 8));
        }
    }
    return std::move(writer).take();
}

Bytes build_error_body(ByteView status_info) {
    DerWriter writer;
    {
        const auto body = writer.open(body_tag(BodyType::error));
        writer.tlv(Tag::sequence, status_info);
    }
    return std::move(writer).take();
}

Bytes build_cert_rep_body(BodyType type, std::int64_t cert_req_id, ByteView status_info) {
    return cert_rep_body(type, cert_req_id, status_info, {}, {});
}

Bytes build_cert_rep_body(BodyType type, std::int64_t cert_req_id, ByteView status_info,
                          ByteView certificate, ByteView ca_pubs) {
    return cert_rep_body(type, cert_req_id, status_info, certificate, ca_pubs);
}

Bytes build_rev_rep_body(ByteView status_info) {
    DerWriter writer;
    {
        const auto body = writer.open(body_tag(BodyType::rp));
        const auto content = writer.open(Tag::sequence);
        writer.tlv(Tag::sequence, status_info);
    }
    return std::move(writer).take();
}

Bytes build_pkiconf_body() {
    DerWriter writer;
    {
        const auto body = writer.open(body_tag(BodyType::pkiconf));
        writer.null();
    }
    return std::move(writer).take();
}

Bytes build_poll_rep_body(std::int64_t cert_req_id, std::int64_t check_after) {
    DerWriter writer;
    {
        const auto body = writer.open(body_tag(BodyType::pollRep));
        const auto list = writer.open(Tag::sequence);
        const auto item = writer.open(Tag::sequence);
        writer.integer(cert_req_id);
        writer.integer(check_after);
    }
    return std::move(writer).take();
}

namespace {

Bytes gen_body(BodyType type, ByteView info_type, ByteView info_value) {
    DerWriter writer;
    {
        const auto body = writer.open(body_tag(type));
        const auto list = writer.open(Tag::sequence);
        const auto item = writer.open(Tag::sequence);
        writer.oid(info_type);
        writer.raw(info_value);
    }
    return std::move(writer).take();
}

}  // namespace

Bytes build_genp_body(ByteView info_type, ByteView info_value) {
    return gen_body(BodyType::genp, info_type, info_value);
}

Bytes build_genm_body(ByteView info_type, ByteView info_value) {
    return gen_body(BodyType::genm, info_type, info_value);
}

Bytes build_protected_part(ByteView header, ByteView body) {
    Bytes part;
    part.reserve(header.size() + body.size() + 4);
    asn1::append_header(part, Tag::sequence, header.size() + body.size());
    append(part, header);
    append(part, body);
    return part;
}

Bytes build_pki_message(ByteView header, ByteView body, ByteView protection, ByteView extra_certs) {
    DerWriter writer{header.size() + body.size() + protection.size() + extra_certs.size() + 32};
    {
        const auto message = writer.open(Tag::sequence);
        writer.raw(header);
        writer.raw(body);
        if (!protection.empty()) {
            const auto tagged = writer.open(context(0));
            writer.bit_string(protection);
        }
        if (!extra_certs.empty()) {
            const auto tagged = writer.open(context(1));
            writer.tlv(Tag::sequence, extra_certs);
        }
    }
    return std::move(writer).take();
}

}  // namespace ra::cmp
