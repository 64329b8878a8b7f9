#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>

#include "ra/base/random.h"
#include "ra/base/time.h"
#include "ra/exchange.h"

namespace transports::tcp {

/// Answers that were not there in time, fetched later by a random reference (spec 03 4). One a
/// listener, shared by its workers: the next connection of a client may come to another one.
///
/// A reference is no protection: it yields its answer only to the client it was given to, and
/// nothing but what the exchange answered. Thread-safe.
class PollTable {
public:
    struct Settings {
        std::size_t most = 1024;            // open references
        std::chrono::seconds expires{600};  // after the last news
    };
    explicit PollTable(Settings settings) noexcept : settings_{settings} {}

    /// A reference for an exchange under way; nullopt: too many are open. `client`: who may ask.
    [[nodiscard]] std::optional<std::uint32_t> open(const std::string& client, ra::Random& random,
                                                    ra::BootTime now);
    /// The exchange has ended. Nothing happens if the reference expired.
    void finish(std::uint32_t reference, ra::Reply reply, ra::BootTime now);

    struct Pending {};
    struct Unknown {};  // never given, expired, or another client's
    using Found = std::variant<Pending, Unknown, ra::Reply>;
    /// An answer is given once; its reference is then gone.
    [[nodiscard]] Found collect(std::uint32_t reference, const std::string& client,
                                ra::BootTime now);

    [[nodiscard]] std::size_t size() const;

private:
    struct Entry {
        std::string client;
        std::optional<ra::Reply> reply;
        ra::BootTime until{};
    };
    void drop_expired(ra::BootTime now);

    const Settings settings_;
    mutable std::mutex mutex_;
    std::unordered_map<std::uint32_t, Entry> entries_;
};

}  // namespace transports::tcp
