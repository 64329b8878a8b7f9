#include "transports/coap/conversation.h"

#include <algorithm>

#include "transports/coap/statuses.h"

namespace transports::coap {
namespace {

constexpr std::size_t kOverhead = 128;  // header, path and other options of a request, at most

}  // namespace

Conversation::Ask Conversation::ask_block(std::size_t offset) {
    Ask ask;
    offset_ = offset;
    const Block unit{0, false, szx_};
    const bool whole =
        offset == 0 && (settings_.reliable ? body_.size() + kOverhead <= settings_.largest
                                           : body_.size() <= unit.size());
    ask.payload =
        whole ? body_ : body_.subspan(offset, std::min(unit.size(), body_.size() - offset));
    ask.has_format = true;
    const bool more = offset + ask.payload.size() < body_.size();
    if (!whole) ask.block1 = Block{static_cast<std::uint32_t>(offset / unit.size()), more, szx_};
    if (!whole && offset == 0) ask.size1 = static_cast<std::uint32_t>(body_.size());
    if (!more) whole_sent_ = true;
    last_ = ask;
    return ask;
}

std::variant<Conversation::Ask, ra::Sent> Conversation::heard(const Heard& response) {
    // It wants to know whether we are where we seem to be (RFC 9175 2.3): the same again, once.
    if (response.code == Code::unauthorized && !response.echo.empty() && !echoed_) {
        echoed_ = true;
        echo_ = ra::to_bytes(response.echo);
        Ask again = last_;
        again.echo = echo_;
        return again;
    }
    if (response.code == Code::continue_) {
        if (!response.block1 || !last_.block1 || !last_.block1->more)
            return ra::Sent{ra::Unknown{"malformed"}};
        // A smaller size is meant for what follows (RFC 7959 2.3); what was sent counts as it was.
        const std::size_t next = offset_ + last_.payload.size();
        szx_ = std::min(szx_, response.block1->szx);
        return ask_block(next);
    }
    const bool smaller = response.code == Code::request_too_large && offset_ == 0 &&
                         response.block1 && response.block1->szx < szx_ && last_.block1;
    if (smaller) {
        szx_ = response.block1->szx;
        whole_sent_ = false;
        return ask_block(0);
    }
    return take_answer(response);
}

std::variant<Conversation::Ask, ra::Sent> Conversation::take_answer(const Heard& response) {
    const std::size_t offset = response.block2 ? response.block2->offset() : 0;
    if (offset != answer_.size()) return ra::Sent{ra::Unknown{"malformed"}};
    if (answer_.empty()) {
        code_ = response.code;
        etag_ = ra::to_bytes(response.etag);
    } else if (response.code != code_ || !ra::equal(etag_, response.etag)) {
        return ra::Sent{ra::Unknown{"malformed"}};  // blocks of two answers
    }
    if (answer_.size() + response.payload.size() > settings_.max_answer)
        return ra::Sent{ra::Unknown{"too large"}};
    const bool short_block = response.block2 && response.block2->more &&
                             response.payload.size() % response.block2->size() != 0;
    if (short_block || (response.block2 && response.block2->more && response.payload.empty()))
        return ra::Sent{ra::Unknown{"malformed"}};
    ra::append(answer_, response.payload);
    if (!response.block2 || !response.block2->more) return conclude(response);
    Ask ask;
    const std::uint8_t szx = std::min(response.block2->szx, Block::kLargest);
    const Block unit{0, false, szx};
    ask.block2 = Block{static_cast<std::uint32_t>(answer_.size() / unit.size()), false, szx};
    last_ = ask;
    return ask;
}

ra::Sent Conversation::conclude(const Heard& response) {
    const bool cmp = response.content_format == kPkixCmp && !answer_.empty();
    if (class_of(code_) == 2 && cmp) return ra::Delivered{std::move(answer_)};
    return ra::RejectedByTransport{http_status(code_), cmp ? std::move(answer_) : ra::Bytes{}};
}

}  // namespace transports::coap
