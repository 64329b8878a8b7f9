#include "transports/coap/crossing.h"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace transports::coap {

namespace asio = boost::asio;

/// To one worker and back.
struct Crossing::Lane : std::enable_shared_from_this<Lane> {
    Lane(common::Worker& at, Seat to, Crossing& of) : home{at}, seat{to}, crossing{&of} {}

    struct Begun {
        CallId id;
        ra::Arrival arrival;
    };
    struct Done {
        CallId id;
        std::optional<ra::Reply> reply;
    };

    /// At home.
    void leave() {
        seat.worker.post([self = shared_from_this(), all = std::exchange(waiting, {})]() mutable {
            for (Begun& begun : all)
                self->seat.worker.tasks().spawn("coap",
                                                run(self, begun.id, std::move(begun.arrival)));
        });
    }
    /// At the worker.
    void come_home() {
        home.post([self = shared_from_this(), all = std::exchange(done, {})]() mutable {
            for (Done& one : all) {
                if (self->crossing != nullptr)
                    self->crossing->answered_(one.id, std::move(one.reply));
            }
        });
    }

    common::Worker& home;
    const Seat seat;
    Crossing* crossing;          // of home's thread; null: it is gone
    std::vector<Begun> waiting;  // of home's thread
    std::vector<Done> done;      // of the worker's thread
};

Crossing::Crossing(common::Worker& home, const std::vector<Seat>& seats, Answered answered)
    : answered_{std::move(answered)} {
    for (const Seat& seat : seats) lanes_.push_back(std::make_shared<Lane>(home, seat, *this));
}

Crossing::~Crossing() {
    for (const auto& lane : lanes_) lane->crossing = nullptr;
}

void Crossing::begin(CallId id, ra::Arrival arrival) {
    const std::shared_ptr<Lane>& lane = lanes_[next_++ % lanes_.size()];
    lane->waiting.push_back({id, std::move(arrival)});
    if (lane->waiting.size() == 1) lane->home.post([lane] { lane->leave(); });
}

/// On the seat's worker.
asio::awaitable<void> Crossing::run(std::shared_ptr<Lane> lane, CallId id, ra::Arrival arrival) {
    std::optional<ra::Reply> reply;
    try {
        reply = co_await lane->seat.exchange.exchange(std::move(arrival));
    } catch (...) {
        lane->seat.worker.report("exchange", std::current_exception());
    }
    lane->done.push_back({id, std::move(reply)});
    if (lane->done.size() != 1) co_return;
    // What ends meanwhile comes along. The task lasts until then: a worker that drains waits for
    // it.
    co_await asio::post(lane->seat.worker.executor(), asio::use_awaitable);
    lane->come_home();
}

}  // namespace transports::coap
