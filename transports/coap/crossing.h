#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "ra/exchange.h"
#include "transports/coap/calls.h"
#include "transports/common/worker.h"

namespace transports::coap {

/// Takes exchanges from the CoAP thread ("home") to the workers in turn, and their replies back.
/// What comes together crosses together: waking a thread costs more than most exchanges do. An
/// exchange that has begun is never cancelled.
class Crossing {
public:
    struct Seat {
        common::Worker& worker;
        ra::Exchange& exchange;
    };
    /// At home; nullopt: the exchange broke.
    using Answered = std::function<void(CallId, std::optional<ra::Reply>)>;

    /// `home` and seats outlive it and what it has begun.
    Crossing(common::Worker& home, const std::vector<Seat>& seats, Answered answered);
    Crossing(const Crossing&) = delete;
    Crossing& operator=(const Crossing&) = delete;
    /// At home. Replies that come later are dropped.
    ~Crossing();

    /// At home; runs when what is being handled there has ended.
    void begin(CallId id, ra::Arrival arrival);

private:
    struct Lane;
    static boost::asio::awaitable<void> run(std::shared_ptr<Lane> lane, CallId id,
                                            ra::Arrival arrival);

    Answered answered_;
    std::vector<std::shared_ptr<Lane>> lanes_;
    std::size_t next_ = 0;
};

}  // namespace transports::coap
