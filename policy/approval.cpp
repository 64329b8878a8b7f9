#include "policy/approval.h"

#include "policy/access.h"
#include "policy/text.h"

namespace policy {
namespace {

bool same(const std::optional<ra::ByteView>& a, const std::optional<ra::ByteView>& b) noexcept {
    return a && b && ra::equal(*a, *b);
}

}  // namespace

Judged<ra::cmp::PKIMessage> open_nested(const ra::cmp::PKIMessage& outer,
                                        const ra::cmp::Limits& limits) {
    const auto at = static_cast<std::size_t>(outer.content.data() - outer.whole.data());
    auto inner = ra::cmp::parse_nested(outer.content, at, limits);
    if (!inner) return refuse("body", PKIFailureInfo::badDataFormat, error_text(inner.error()));
    if (inner->size() != 1) {
        return refuse("batch", PKIFailureInfo::badRequest,
                      std::to_string(inner->size()) + " messages in nested; one is taken");
    }
    ra::cmp::PKIMessage& message = inner->front();
    if (!same(message.header.transaction_id, outer.header.transaction_id)) {
        return refuse("batch", PKIFailureInfo::badRequest,
                      "transactionID differs from that of the message in it: a batch (R-086)");
    }
    if (!same(message.header.sender_nonce, outer.header.sender_nonce)) {
        return refuse("nested", PKIFailureInfo::badSenderNonce,
                      "senderNonce differs from that of the message in it (R-081)");
    }
    if (message.type == BodyType::nested) {
        return refuse("nested", PKIFailureInfo::badRequest, "nested in nested");
    }
    return std::move(message);
}

AuthenticMessage approved(AuthenticMessage message, const Approval& approval) {
    return Access::approved(std::move(message), approval.signer());
}

}  // namespace policy
