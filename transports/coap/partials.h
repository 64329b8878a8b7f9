#pragma once

#include <chrono>
#include <map>
#include <string>

#include "ra/base/time.h"
#include "transports/coap/message.h"

namespace transports::coap {

/// Bodies that come in blocks (Block1, RFC 7959 2.5), each put together in its order and handed out
/// whole. Nothing is allocated before its octets have come.
class Partials {
public:
    struct Limits {
        std::size_t message = 256 * 1024;    // more: too_large
        std::size_t octets = 8UL << 20U;     // of all together
        std::size_t bodies = 512;            // at a time
        std::size_t of_one = 32;             // of one endpoint
        std::chrono::nanoseconds silence{};  // a body whose next block does not come is dropped
    };
    enum class Stage : std::uint8_t {
        whole,       // `body` has it
        more,        // 2.31: the next block
        incomplete,  // 4.08: a block is missing, or of another format
        too_large,   // 4.13
        malformed,   // 4.00: a block's size is not what it says
        full,        // 5.03
    };
    struct Taken {
        Stage stage = Stage::malformed;
        ra::Bytes body;
        std::size_t octets = 0;  // of all its datagrams
    };

    explicit Partials(const Limits& limits) : limits_{limits} {}
    void use(const Limits& limits) noexcept { limits_ = limits; }

    /// Takes one block; one without Block1 is a whole body. `path`: what tells resources apart.
    [[nodiscard]] Taken take(const Request& request, const std::string& path, ra::BootTime now);
    /// Drops what has been silent too long.
    void expire(ra::BootTime now);
    void forget(const Endpoint& from);

    [[nodiscard]] std::size_t size() const noexcept { return bodies_.size(); }
    [[nodiscard]] std::size_t octets() const noexcept { return octets_; }

private:
    /// RFC 7959 2.5, RFC 9175 3.3: what belongs together.
    struct Key {
        Endpoint from;
        std::string path;
        ra::Bytes request_tag;
        auto operator<=>(const Key&) const = default;
    };
    struct Body {
        ra::Bytes octets;
        std::size_t received = 0;
        std::optional<std::uint32_t> content_format;
        ra::BootTime touched{};
    };
    using Bodies = std::map<Key, Body>;

    [[nodiscard]] Taken whole(const Request& request) const;
    [[nodiscard]] bool make_room(const Endpoint& from, std::size_t octets, ra::BootTime now);
    Bodies::iterator drop(Bodies::iterator body);

    Limits limits_;
    Bodies bodies_;
    std::size_t octets_ = 0;
};

}  // namespace transports::coap
