#pragma once

#include <map>
#include <vector>

#include "ra/base/time.h"
#include "transports/coap/message.h"

namespace transports::coap {

/// Who wants announcements (Observe, RFC 7641), each an endpoint with the token it registered.
class Observers {
public:
    /// Registered and not heard of since: gone (RFC 9482 2.6 has them register again now and then).
    static constexpr std::chrono::hours kForgottenAfter{24};

    explicit Observers(std::size_t most) : most_{most} {}
    void use(std::size_t most) noexcept { most_ = most; }

    /// False: there is no room. Again with the same token: the same observer.
    bool add(const Endpoint& from, ra::ByteView token, ra::BootTime now);
    void remove(const Endpoint& from, ra::ByteView token);
    void forget(const Endpoint& from);
    void expire(ra::BootTime now);

    struct Observer {
        Endpoint at;
        ra::Bytes token;
        auto operator<=>(const Observer&) const = default;
    };
    [[nodiscard]] std::vector<Observer> all() const;
    [[nodiscard]] bool any_of(const Endpoint& from) const;
    [[nodiscard]] std::size_t size() const noexcept { return observers_.size(); }

private:
    std::size_t most_;
    std::map<Observer, ra::BootTime> observers_;  // and when it last registered
};

}  // namespace transports::coap
