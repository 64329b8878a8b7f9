#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "transports/http1/client.h"
#include "transports/http2/client_session.h"
#include "transports/http2/pump.h"

namespace transports::http2 {

/// One connection of a client, with the coroutine that reads it. Shared by that coroutine, its
/// courier and the deliveries under way.
class ClientConnection final : public std::enable_shared_from_this<ClientConnection>,
                               public common::Drainable {
public:
    /// Takes over `stream`, which the worker's task group keeps. `counters` outlive it.
    static std::shared_ptr<ClientConnection> start(common::Worker& worker,
                                                   std::unique_ptr<common::ByteStream> stream,
                                                   const http1::HttpClientSettings& settings,
                                                   http1::HttpClientCounters& counters);
    ClientConnection(common::Worker& worker, common::ByteStream& stream,
                     const http1::HttpClientSettings& settings,
                     http1::HttpClientCounters& counters);

    /// Whether further deliveries may be given to it.
    [[nodiscard]] bool usable() const noexcept {
        return alive_ && !retired_ && !session_.going_away();
    }
    [[nodiscard]] std::size_t calls() const noexcept { return session_.calls(); }
    [[nodiscard]] bool alive() const noexcept { return alive_; }

    /// Sends a request; negative: not here.
    [[nodiscard]] StreamId call(const Fields& fields, std::shared_ptr<Call> call);
    void abandon(StreamId stream);
    /// Takes no more; ends when what is under way has ended.
    void retire() noexcept;
    void drain() noexcept override { retire(); }

private:
    static boost::asio::awaitable<void> run(std::shared_ptr<ClientConnection> self);
    void advance();
    bool read();
    [[nodiscard]] ra::BootTime deadline() const;

    common::Worker& worker_;
    common::ByteStream& stream_;
    http1::HttpClientCounters& counters_;
    std::chrono::milliseconds idle_time_;
    ClientSession session_;
    Pump pump_;
    ra::BootTime active_;
    bool alive_ = true;
    bool retired_ = false;
    bool said_goodbye_ = false;
};

}  // namespace transports::http2
