#pragma once

#include <array>
#include <cstdint>
#include <ctime>
#include <string_view>

#include "ra/exchange.h"

namespace transports::http1 {

/// The reason phrase of the codes we send.
[[nodiscard]] std::string_view reason_of(unsigned status) noexcept;

/// What one response header says.
struct HeadFacts {
    unsigned status = 200;
    std::string_view content_type;  // empty: no content
    std::size_t content_length = 0;
    ra::TraceId trace;
    std::string_view date;            // IMF-fixdate
    std::string_view allow = "POST";  // with 405
    bool close = false;
    bool say_keep_alive = false;  // to HTTP/1.0 clients that asked
    unsigned retry_after = 0;     // seconds; 0: none
};

/// A rendered response header; no allocation.
class ResponseHead {
public:
    explicit ResponseHead(const HeadFacts& facts) noexcept;
    [[nodiscard]] ra::ByteView octets() const noexcept { return {text_.data(), size_}; }

private:
    void add(std::string_view text) noexcept;
    void add_number(std::size_t value) noexcept;

    std::array<std::uint8_t, 384> text_;
    std::size_t size_ = 0;
};

/// The Date field's value, rendered once a second. One a worker.
class DateText {
public:
    [[nodiscard]] std::string_view now() noexcept;

private:
    std::time_t second_ = -1;
    std::array<char, 32> text_{};
    std::size_t size_ = 0;
};

}  // namespace transports::http1
