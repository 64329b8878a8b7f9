#include "transports/http1/message_reader.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>

namespace transports::http1 {

namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

constexpr std::size_t kMaxFields = 100;
// A length is reserved at once up to here; more only as it comes.
constexpr std::uint64_t kReserve = 64 * 1024;

std::string_view std_view(beast::string_view text) noexcept { return {text.data(), text.size()}; }

bool is_digits(beast::string_view text) noexcept {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool is_cmp_media_type(std::string_view content_type) noexcept {
    std::string_view type = content_type.substr(0, content_type.find(';'));
    while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
    for (const char* known : {"application/pkixcmp", "application/x-pkixcmp",
                              "application/pkixcmp-poll", "application/x-pkixcmp-poll"}) {
        if (beast::iequals({type.data(), type.size()}, known)) return true;
    }
    return false;
}

template <bool isRequest>
MessageReader<isRequest>::MessageReader(std::size_t max_header, std::size_t max_body)
    : max_header_{max_header}, max_body_{max_body} {
    this->eager(true);
    this->header_limit(static_cast<std::uint32_t>(max_header));
    this->body_limit(boost::none);  // ours says which limit it was
}

template <bool isRequest>
Stage MessageReader<isRequest>::feed(ra::ByteView octets) {
    const bool from_kept = !kept_.empty();
    if (from_kept) ra::append(kept_, octets);
    const ra::ByteView input = from_kept ? ra::ByteView{kept_} : octets;
    std::size_t used = 0;
    ErrorCode error;
    while (used < input.size() && !this->is_done()) {
        used += this->put({input.data() + used, input.size() - used}, error);
        if (error) break;
    }
    if (error && error != http::error::need_more) {
        fault_ = error;
        return Stage::malformed;
    }
    if (from_kept) {
        kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(used));
    } else {
        kept_.assign(input.begin() + static_cast<std::ptrdiff_t>(used), input.end());
    }
    if (this->is_done()) return Stage::done;
    // Half a line (header, chunk size, trailer) never needs more than a whole header may.
    if (kept_.size() > max_header_) {
        fault_ = http::error::header_limit;
        return Stage::malformed;
    }
    return Stage::need_more;
}

template <bool isRequest>
void MessageReader<isRequest>::refuse_header(ErrorCode& error) noexcept {
    error = http::error::bad_value;
}

template <bool isRequest>
void MessageReader<isRequest>::check_length(ErrorCode& error) noexcept {
    const auto length = this->content_length();
    if (!length || *length <= max_body_) return;
    too_large_ = true;
    error = http::error::body_limit;
}

template <bool isRequest>
void MessageReader<isRequest>::on_field_impl(Field name, View name_text, View value,
                                             ErrorCode& error) {
    // Beast bounds what one call sees; a header sent line by line is bounded here.
    header_octets_ += name_text.size() + value.size() + 4;
    if (header_octets_ > max_header_ || ++fields_ > kMaxFields) {
        error = http::error::header_limit;
        return;
    }
    if (this->is_header_done()) return;  // trailers say nothing to us
    switch (name) {
        case Field::content_length:
            // Beast takes "5, 5": two readers may disagree on what that means.
            if (has_length_ || !is_digits(value)) error = http::error::bad_content_length;
            has_length_ = true;
            break;
        case Field::transfer_encoding:
            if (chunked_ || has_length_) error = http::error::bad_transfer_encoding;
            chunked_ = true;
            unknown_coding_ = !beast::iequals(value, "chunked");
            break;
        case Field::content_type:
            if (typed_) error = http::error::bad_value;
            typed_ = true;
            cmp_media_type_ = is_cmp_media_type(std_view(value));
            break;
        case Field::host:
            if (hosts_ < 2) ++hosts_;
            break;
        case Field::expect:
            if (beast::iequals(value, "100-continue")) {
                expects_continue_ = true;
            } else {
                expects_other_ = true;
            }
            break;
        default:
            break;
    }
}

template <bool isRequest>
void MessageReader<isRequest>::on_body_init_impl(const boost::optional<std::uint64_t>& length,
                                                 ErrorCode& error) {
    check_length(error);
    if (error || !length) return;
    body_.reserve(static_cast<std::size_t>(std::min(*length, kReserve)));
}

template <bool isRequest>
std::size_t MessageReader<isRequest>::on_body_impl(View body, ErrorCode& error) {
    if (body.size() > max_body_ - body_.size()) {
        too_large_ = true;
        error = http::error::body_limit;
        return 0;
    }
    const auto* const octets = reinterpret_cast<const std::uint8_t*>(body.data());
    body_.insert(body_.end(), octets, octets + body.size());
    return body.size();
}

template <bool isRequest>
void MessageReader<isRequest>::on_chunk_header_impl(std::uint64_t size, View, ErrorCode& error) {
    if (size > max_body_ - body_.size()) {
        too_large_ = true;
        error = http::error::body_limit;
    }
}

template <bool isRequest>
std::size_t MessageReader<isRequest>::on_chunk_body_impl(std::uint64_t, View body,
                                                         ErrorCode& error) {
    return on_body_impl(body, error);
}

template class MessageReader<true>;
template class MessageReader<false>;

}  // namespace transports::http1
