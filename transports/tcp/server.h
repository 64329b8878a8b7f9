#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "ra/exchange.h"
#include "transports/common/listener.h"
#include "transports/common/worker.h"
#include "transports/tcp/frame.h"
#include "transports/tcp/poll_table.h"

namespace transports::tcp {

using common::Count;

/// Of one server on one worker.
struct TcpServerCounters {
    Count requests;         // PKIMessages handed to the Exchange
    Count polls;            // pollReq answered
    Count frame_errors;     // answered by an errorMsgRep
    Count timeouts;         // frames not received in time
    Count dropped_replies;  // the client had gone when its answer was ready
};

struct TcpServerSettings {
    ra::ListenerId listener{};
    std::string label;  // of all its messages: a frame names none
    std::size_t max_message = 256 * 1024;
    std::chrono::milliseconds idle_time{60'000};      // between frames
    std::chrono::milliseconds receive_time{15'000};   // first to last octet of a frame
    std::chrono::milliseconds send_time{15'000};      // an answer the peer does not take
    std::chrono::milliseconds exchange_time{60'000};  // an arrival's deadline
    /// Then the client is told to poll; nullopt: it waits for its answer.
    std::optional<std::chrono::milliseconds> poll_after;
    std::chrono::seconds check_back{5};  // and when
    unsigned max_misses = 5;             // polls for references nobody has
};

/// CMP directly over TCP on one worker, both framings (spec 03 section 4): answers strictly in the
/// order of the requests. An exchange that takes long goes on while its client polls; one whose
/// client has gone goes on too, only its reply is dropped.
class TcpServer final : public common::ConnectionHandler {
public:
    /// What is referred to outlives it.
    TcpServer(common::Worker& worker, ra::Exchange& exchange, std::shared_ptr<PollTable> polls,
              const ra::Clock& clock, TcpServerSettings settings,
              TcpServerCounters& counters) noexcept
        : worker_{worker},
          exchange_{exchange},
          polls_{std::move(polls)},
          clock_{clock},
          settings_{std::move(settings)},
          counters_{counters} {}

    boost::asio::awaitable<void> serve(common::ByteStream& stream) override;
    void retire() noexcept override { retired_ = true; }

    /// On its worker, from the next frame on.
    void use(TcpServerSettings settings) { settings_ = std::move(settings); }

private:
    enum class Next : std::uint8_t { frame, go_on, close };
    struct Session;
    struct Pending;

    boost::asio::awaitable<void> serve_ready(common::ByteStream& stream, Session& session);
    boost::asio::awaitable<Next> receive(common::ByteStream& stream, FrameReader& reader,
                                         ra::Bytes& surplus);
    boost::asio::awaitable<Next> answer(common::ByteStream& stream, Session& session, Frame& frame);
    boost::asio::awaitable<Next> answer_message(common::ByteStream& stream, Session& session,
                                                Frame& frame);
    boost::asio::awaitable<Next> wait_or_promise(common::ByteStream& stream, Session& session,
                                                 Frame& frame, ra::Arrival arrival,
                                                 std::chrono::milliseconds poll_after);
    boost::asio::awaitable<Next> answer_poll(common::ByteStream& stream, Session& session,
                                             Frame& frame);
    static boost::asio::awaitable<void> run(std::shared_ptr<Pending> pending, ra::Arrival arrival);
    boost::asio::awaitable<Next> reply(common::ByteStream& stream, const Frame& to,
                                       const ra::Reply& reply);
    boost::asio::awaitable<Next> say_poll(common::ByteStream& stream, const Frame& to,
                                          std::uint32_t reference);
    boost::asio::awaitable<Next> refuse(common::ByteStream& stream, const Frame& to,
                                        FrameError error, ra::ByteView data, std::string_view text);
    boost::asio::awaitable<Next> send(common::ByteStream& stream, const Frame& to, FrameType type,
                                      ra::ByteView value);

    [[nodiscard]] bool ending() const noexcept { return retired_ || worker_.tasks().draining(); }

    common::Worker& worker_;
    ra::Exchange& exchange_;
    std::shared_ptr<PollTable> polls_;  // also of exchanges that outlive this
    const ra::Clock& clock_;
    TcpServerSettings settings_;
    TcpServerCounters& counters_;
    bool retired_ = false;
};

}  // namespace transports::tcp
