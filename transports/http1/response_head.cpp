#include "transports/http1/response_head.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>

namespace transports::http1 {

std::string_view reason_of(unsigned status) noexcept {
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 400:
            return "Bad Request";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 411:
            return "Length Required";
        case 413:
            return "Content Too Large";
        case 415:
            return "Unsupported Media Type";
        case 417:
            return "Expectation Failed";
        case 422:
            return "Unprocessable Content";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 503:
            return "Service Unavailable";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "";
    }
}

ResponseHead::ResponseHead(const HeadFacts& facts) noexcept {
    add("HTTP/1.1 ");
    add_number(facts.status);
    add(" ");
    add(reason_of(facts.status));
    if (!facts.content_type.empty()) {
        add("\r\nContent-Type: ");
        add(facts.content_type);
    }
    add("\r\nContent-Length: ");
    add_number(facts.content_length);
    add("\r\nDate: ");
    add(facts.date);
    add("\r\nCache-Control: no-cache\r\nX-Request-Id: ");
    constexpr char kDigits[] = "0123456789abcdef";
    for (const std::uint8_t octet : facts.trace.octets) {
        text_[size_++] = static_cast<std::uint8_t>(kDigits[octet >> 4]);
        text_[size_++] = static_cast<std::uint8_t>(kDigits[octet & 0x0f]);
    }
    if (facts.status == 405) {
        add("\r\nAllow: ");
        add(facts.allow);
    }
    if (facts.retry_after != 0) {
        add("\r\nRetry-After: ");
        add_number(facts.retry_after);
    }
    if (facts.close) {
        add("\r\nConnection: close");
    } else if (facts.say_keep_alive) {
        add("\r\nConnection: keep-alive");
    }
    add("\r\n\r\n");
}

// Every part is a literal or a number of ours: their sum fits.
void ResponseHead::add(std::string_view text) noexcept {
    const std::size_t taken = std::min(text.size(), text_.size() - size_);
    std::memcpy(text_.data() + size_, text.data(), taken);
    size_ += taken;
}

void ResponseHead::add_number(std::size_t value) noexcept {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    add({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

std::string_view DateText::now() noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != second_) {
        second_ = now.tv_sec;
        std::tm parts{};
        gmtime_r(&second_, &parts);
        // Not strftime's names: they follow the locale.
        constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
        const int size =
            std::snprintf(text_.data(), text_.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                          kDays[parts.tm_wday], parts.tm_mday, kMonths[parts.tm_mon],
                          parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
        size_ = std::min(static_cast<std::size_t>(std::max(size, 0)), text_.size() - 1);
    }
    return {text_.data(), size_};
}

}  // namespace transports::http1
