#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "ra/base/bytes.h"

namespace ra::store {

/// Writes what stands in a row of the database: numbers little-endian, octets with their size
/// before them. No tags: the first octet of each row says how it is to be read.
class Packer {
public:
    explicit Packer(std::size_t room = 0) { octets_.reserve(room); }

    template <std::unsigned_integral T>
    Packer& number(T value) {
        for (std::size_t i = 0; i < sizeof value; ++i)
            octets_.push_back(
                static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> 8 * i));
        return *this;
    }
    Packer& signed_number(std::int64_t value) { return number(static_cast<std::uint64_t>(value)); }
    Packer& octets(ByteView value) {
        number(static_cast<std::uint32_t>(value.size()));
        append(octets_, value);
        return *this;
    }
    Packer& text(std::string_view value) { return octets(as_bytes(value)); }
    [[nodiscard]] Bytes take() noexcept { return std::move(octets_); }

private:
    Bytes octets_;
};

/// Reads the same. What is not there reads as nothing, and good() is false from then on.
class Unpacker {
public:
    explicit Unpacker(ByteView octets) noexcept : rest_{octets} {}

    template <std::unsigned_integral T>
    T number() noexcept {
        const ByteView from = take(sizeof(T));
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < from.size(); ++i)
            value |= static_cast<std::uint64_t>(from[i]) << 8 * i;
        return static_cast<T>(value);
    }
    std::int64_t signed_number() noexcept {
        return static_cast<std::int64_t>(number<std::uint64_t>());
    }
    ByteView octets() noexcept { return take(number<std::uint32_t>()); }
    std::string text() { return std::string(as_text(octets())); }

    /// Nothing was missing so far.
    [[nodiscard]] bool good() const noexcept { return good_; }
    /// Nothing was missing and nothing is left.
    [[nodiscard]] bool complete() const noexcept { return good_ && rest_.empty(); }

private:
    ByteView take(std::size_t size) noexcept {
        if (size > rest_.size()) {
            good_ = false;
            rest_ = {};
            return {};
        }
        const ByteView taken = rest_.first(size);
        rest_ = rest_.subspan(size);
        return taken;
    }
    ByteView rest_;
    bool good_ = true;
};

}  // namespace ra::store
