#include "transports/http1/name_cache.h"

#include <algorithm>

#include "transports/common/wakeup.h"

namespace transports::http1 {

namespace asio = boost::asio;
using common::Wakeup;

namespace {
constexpr std::chrono::seconds kRememberFailure{1};
}

struct NameCache::State : std::enable_shared_from_this<State> {
    State(common::Worker& on, std::string name, std::uint16_t number, std::chrono::seconds time)
        : worker{on}, host{std::move(name)}, port{number}, keep{time}, resolver{on.executor()} {
        boost::system::error_code error;
        const auto address = asio::ip::make_address(host, error);
        if (error) return;
        addresses = {Endpoint{address, port}};
        good_until = ra::BootTime::max();
    }

    void start() {
        if (running) return;
        running = true;
        resolver.async_resolve(
            host, std::to_string(port),
            [self = shared_from_this()](const boost::system::error_code& error,
                                        const asio::ip::tcp::resolver::results_type& found) {
                self->finish(!error, found);
            });
    }

    void finish(bool found_any, const asio::ip::tcp::resolver::results_type& found) {
        running = false;
        const auto now = ra::BootClock::now();
        good_until = now + (found_any ? keep : kRememberFailure);
        if (found_any) {
            addresses.clear();
            for (const auto& entry : found) addresses.push_back(entry.endpoint());
        }
        for (Wakeup* waiter : std::exchange(waiting, {})) waiter->notify();
    }

    common::Worker& worker;
    std::string host;
    std::uint16_t port;
    std::chrono::seconds keep;
    asio::ip::basic_resolver<asio::ip::tcp, common::Worker::Executor> resolver;
    std::vector<Endpoint> addresses;
    ra::BootTime good_until{};
    bool running = false;
    std::vector<Wakeup*> waiting;
};

NameCache::NameCache(common::Worker& worker, std::string host, std::uint16_t port,
                     std::chrono::seconds keep)
    : state_{std::make_shared<State>(worker, std::move(host), port, keep)} {}

NameCache::~NameCache() { state_->resolver.cancel(); }

asio::awaitable<std::vector<NameCache::Endpoint>> NameCache::lookup(ra::BootTime until) {
    const auto state = state_;
    if (ra::BootClock::now() < state->good_until) co_return state->addresses;
    state->start();
    if (!state->addresses.empty()) co_return state->addresses;
    Wakeup found{state->worker};
    state->waiting.push_back(&found);
    const bool in_time = co_await found.wait(until);
    if (!in_time) std::erase(state->waiting, &found);
    co_return state->addresses;
}

}  // namespace transports::http1
