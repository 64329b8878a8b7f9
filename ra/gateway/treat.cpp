#include "ra/gateway/treat.h"

#include "ra/cmp/oids.h"
#include "ra/gateway/cert_req_id.h"
#include "ra/gateway/sign.h"

namespace ra::gateway {
namespace {

using policy::Treatment;

/// InfoTypeAndValue of origPKIMessage: PKIMessages with the one that was received.
Bytes orig_pki_message(ByteView message) {
    asn1::DerWriter writer{message.size() + 32};
    {
        const auto info = writer.open(asn1::Tag::sequence);
        writer.oid(cmp::oid::kOrigPKIMessage.view());
        writer.tlv(asn1::Tag::sequence, message);
    }
    return std::move(writer).take();
}

/// Of a nested single: our own, but for what ties it to the message in it. Whom it is for
/// that message says.
cmp::HeaderFields nested_header(const cmp::PKIHeader& inner, WallTime now) {
    cmp::HeaderFields fields;
    fields.pvno = inner.pvno;
    fields.recipient = inner.recipient;
    fields.message_time = now;
    fields.transaction_id = inner.transaction_id.value_or(ByteView{});
    fields.sender_nonce = inner.sender_nonce.value_or(ByteView{});
    return fields;
}

bool begins_transaction(cmp::BodyType type) noexcept {
    return type != cmp::BodyType::certConf && type != cmp::BodyType::pollReq;
}

}  // namespace

cmp::HeaderFields same_header(const cmp::PKIHeader& header, WallTime now) {
    cmp::HeaderFields fields;
    fields.pvno = header.pvno;
    fields.recipient = header.recipient;
    fields.message_time = now;
    fields.recip_kid = header.recip_kid.value_or(ByteView{});
    fields.transaction_id = header.transaction_id.value_or(ByteView{});
    fields.sender_nonce = header.sender_nonce.value_or(ByteView{});
    fields.recip_nonce = header.recip_nonce.value_or(ByteView{});
    fields.free_text = header.free_text.value_or(ByteView{});
    fields.extra_general_info = header.general_info.value_or(ByteView{});
    return fields;
}

crypto::CredentialPtr find_credential(const Settings& settings,
                                      const crypto::CredentialPtr& preferred,
                                      const crypto::Sha256& pinned) {
    if (pinned == crypto::Sha256{}) return nullptr;
    if (preferred != nullptr && preferred->certificate->digest() == pinned) return preferred;
    for (const auto* among : {&settings.credentials, &settings.superseded}) {
        for (const crypto::CredentialPtr& one : *among) {
            if (one->certificate->digest() == pinned) return one;
        }
    }
    return nullptr;
}

asio::awaitable<Outcome<Treated>> treat(ToTreat wanted, const crypto::Credential* credential,
                                        WallTime now, CpuPool& cpu) {
    const cmp::PKIMessage& message = wanted.message;
    const Treatment treatment = wanted.record.treatment;
    if (treatment == Treatment::forward && wanted.outer != nullptr)
        co_return Treated::received(wanted.outer->whole);
    if (!policy::signs(treatment)) co_return Treated::received(message.whole);
    if (credential == nullptr) {
        co_return Failure{UpstreamFault{"credential-gone", cmp::PKIFailureInfo::systemFailure,
                                        "the credential this transaction began with is not here",
                                        false}};
    }

    crypto::Unprotected out;
    if (treatment == Treatment::nest) {
        const Bytes prefix = cmp::nested_body_prefix(message.whole.size());
        out.header = nested_header(message.header, now);
        out.body = {prefix, message.whole};
        auto made = co_await sign(cpu, *credential, out);
        if (!made) co_return std::move(made).error();
        co_return Treated::built(std::move(*made));
    }

    out.header = same_header(message.header, now);
    Bytes infos, body;
    if (wanted.orig_pki_message && begins_transaction(message.type) &&
        !message.header.info(cmp::oid::kOrigPKIMessage.view())) {
        infos = to_bytes(out.header.extra_general_info);
        append(infos, orig_pki_message(message.whole));
        out.header.extra_general_info = infos;
    }
    out.body[0] = wanted.amended != nullptr ? ByteView{wanted.amended->body} : message.body;
    if (wanted.record.sent_as_cr && !begins_transaction(message.type)) {
        body = with_cert_req_id(message, 0);  // the CA knows it as a cr
        out.body[0] = body;
    }
    auto made = co_await sign(cpu, *credential, out);
    if (!made) co_return std::move(made).error();
    co_return Treated::built(std::move(*made));
}

}  // namespace ra::gateway
