#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>

#include "ra/base/time.h"

namespace transports::common {

/// The keys that session tickets are sealed with: shared by all workers, kept over reloads, so that
/// a client resumes wherever it arrives; made anew every few hours, the last one still opens.
/// Thread-safe. What a session may be resumed for is not decided here but by the session's scope
/// (TlsServerSettings), which holds a digest of the trust it was verified under.
class TlsTicketKeys {
public:
    /// A ticket is good for at most this long; so each key opens for twice as long.
    static constexpr std::chrono::hours kLifetime{4};
    static constexpr std::size_t kNameOctets = 16;

    struct Key {
        std::array<std::uint8_t, kNameOctets> name{};
        std::array<std::uint8_t, 32> cipher{};
        std::array<std::uint8_t, 32> mac{};
        ra::BootTime made{};
        ~Key();
    };

    explicit TlsTicketKeys(ra::BootTime now = ra::BootClock::now());

    /// The key to seal with at `now`.
    [[nodiscard]] Key sealing(ra::BootTime now);

    struct Found {
        Key key;
        bool renew = false;  // the client should get a ticket under the newer key
    };
    /// The key of that name, if it still opens at `now`.
    [[nodiscard]] std::optional<Found> opening(std::span<const std::uint8_t> name,
                                               ra::BootTime now);

private:
    void rotate(ra::BootTime now);  // with the mutex held

    std::mutex mutex_;
    Key current_;
    std::optional<Key> last_;
};

}  // namespace transports::common
