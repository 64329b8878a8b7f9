#include "ra/asn1/der_writer.h"
#include "ra/asn1/oids.h"
#include "ra/cmp/build.h"
#include "ra/cmp/oids.h"

/// What an EE says: for the gateway's own requests, tests and the load generator.
namespace ra::cmp {

using asn1::context;
using asn1::DerWriter;
using asn1::Tag;

namespace {

Tag body_tag(BodyType type) noexcept { return context(static_cast<unsigned>(type)); }

}  // namespace

Bytes build_cert_request(std::int64_t cert_req_id, ByteView cert_template, ByteView controls) {
    DerWriter writer;
    {
        const auto request = writer.open(Tag::sequence);
        writer.integer(cert_req_id);
        writer.raw(cert_template);
        if (!controls.empty()) writer.tlv(Tag::sequence, controls);
    }
    return std::move(writer).take();
}

Bytes build_cert_req_body(BodyType type, ByteView cert_request, ByteView popo) {
    DerWriter writer;
    {
        const auto body = writer.open(body_tag(type));
        const auto messages = writer.open(Tag::sequence);
        const auto message = writer.open(Tag::sequence);
        writer.raw(cert_request);
        writer.raw(popo);
    }
    return std::move(writer).take();
}

Bytes build_signature_popo(ByteView algorithm, ByteView signature) {
    DerWriter writer;
    {
        const auto choice = writer.open(context(1));
        writer.raw(algorithm);
        writer.bit_string(signature);
    }
    return std::move(writer).take();
}

Bytes build_old_cert_id(ByteView issuer, ByteView serial) {
    DerWriter writer;
    {
        const auto control = writer.open(Tag::sequence);
        writer.oid(oid::kOldCertId.view());
        const auto id = writer.open(Tag::sequence);
        writer.raw(general_name(issuer));
        writer.tlv(Tag::integer, serial);
    }
    return std::move(writer).take();
}

Bytes build_cert_template(ByteView subject_name, ByteView spki, ByteView extensions) {
    DerWriter writer;
    {
        const auto made = writer.open(Tag::sequence);
        if (!subject_name.empty()) writer.tlv(context(5), subject_name);
        if (!spki.empty()) {
            Bytes tagged = to_bytes(spki);
            tagged[0] = static_cast<std::uint8_t>(context(6));  // IMPLICIT: only the tag differs
            writer.raw(tagged);
        }
        if (!extensions.empty()) writer.tlv(context(9), extensions);
    }
    return std::move(writer).take();
}

Bytes build_cert_conf_body(ByteView cert_hash, std::int64_t cert_req_id, ByteView status_info) {
    DerWriter writer;
    {
        const auto body = writer.open(body_tag(BodyType::certConf));
        const auto list = writer.open(Tag::sequence);
        const auto status = writer.open(Tag::sequence);
        writer.octet_string(cert_hash);
        writer.integer(cert_req_id);
        writer.raw(status_info);
    }
    return std::move(writer).take();
}

Bytes build_rev_req_body(ByteView issuer_name, ByteView serial, int reason) {
    constexpr asn1::Oid kReasonCode = asn1::oid("2.5.29.21");
    DerWriter writer;
    {
        const auto body = writer.open(body_tag(BodyType::rr));
        const auto list = writer.open(Tag::sequence);
        const auto details = writer.open(Tag::sequence);
        {
            const auto cert_details = writer.open(Tag::sequence);
            writer.tlv(asn1::context_primitive(1), serial);
            writer.tlv(context(3), issuer_name);
        }
        const auto extensions = writer.open(Tag::sequence);
        const auto extension = writer.open(Tag::sequence);
        writer.oid(kReasonCode.view());
        const std::uint8_t value[] = {static_cast<std::uint8_t>(Tag::enumerated), 0x01,
                                      static_cast<std::uint8_t>(reason)};
        writer.octet_string(value);
    }
    return std::move(writer).take();
}

Bytes build_poll_req_body(std::int64_t cert_req_id) {
    DerWriter writer;
    {
        const auto body = writer.open(body_tag(BodyType::pollReq));
        const auto list = writer.open(Tag::sequence);
        const auto item = writer.open(Tag::sequence);
        writer.integer(cert_req_id);
    }
    return std::move(writer).take();
}

}  // namespace ra::cmp
