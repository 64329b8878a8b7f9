#include "transports/tcp/server.h"

#include <algorithm>
#include <boost/asio/error.hpp>

#include "transports/common/wakeup.h"

namespace transports::tcp {

namespace asio = boost::asio;
using common::ByteStream;
using common::error_code;
using common::Ready;

/// What one connection is owed.
struct TcpServer::Session {
    std::string client;  // who may collect what it was promised
    unsigned misses = 0;
    bool over = false;
};

/// An exchange under way, shared by it and whoever waits for it.
struct TcpServer::Pending {
    explicit Pending(const TcpServer& of)
        : worker{of.worker_}, exchange{of.exchange_}, polls{of.polls_}, wakeup{of.worker_} {}
    common::Worker& worker;
    ra::Exchange& exchange;
    const std::shared_ptr<PollTable> polls;
    common::Wakeup wakeup;
    std::optional<ra::Reply> reply;
    std::optional<std::uint32_t> reference;  // promised to a poll
};

namespace {

/// Whoever comes from the same address with the same name, if TLS told one.
std::string client_of(const ra::PeerFacts& peer) {
    std::string client = peer.address;
    if (peer.tls != nullptr) client += ra::as_text(peer.tls->client_subject);
    return client;
}

}  // namespace

asio::awaitable<void> TcpServer::serve(ByteStream& stream) {
    Session session;
    session.client = client_of(stream.peer());
    while (!session.over && !ending()) {
        stream.expires_after(settings_.idle_time);
        stream.set_idle(true);
        const Ready ready = co_await stream.wait_read();
        stream.set_idle(false);
        if (ready != Ready::ready) break;
        co_await serve_ready(stream, session);
    }
    stream.close();
}

/// Serves what has come and what was pipelined behind it. What receiving needs lives in this frame:
/// an idle connection has none of it.
asio::awaitable<void> TcpServer::serve_ready(ByteStream& stream, Session& session) {
    ra::Bytes surplus;
    do {
        FrameReader reader{settings_.max_message};
        Next next = co_await receive(stream, reader, surplus);
        if (next == Next::go_on) co_return;
        if (next == Next::frame) next = co_await answer(stream, session, reader.frame());
        if (next == Next::close) {
            session.over = true;
            co_return;
        }
    } while (!surplus.empty());
}

asio::awaitable<TcpServer::Next> TcpServer::receive(ByteStream& stream, FrameReader& reader,
                                                    ra::Bytes& surplus) {
    ra::Bytes first = std::exchange(surplus, {});
    bool timed = false;
    for (;;) {
        ra::ByteView octets = first;
        error_code error;
        if (first.empty()) {
            const auto scratch = worker_.scratch();
            octets = scratch.first(stream.try_read(scratch, error));
            if (error && error != asio::error::would_block) co_return Next::close;
        }
        const FrameReader::Stage stage = reader.feed(octets);
        if (stage == FrameReader::Stage::done) {
            surplus = ra::to_bytes(octets);
            co_return Next::frame;
        }
        if (stage != FrameReader::Stage::need_more) {
            Frame to = std::move(reader.frame());
            to.close = true;
            co_await refuse(
                stream, to, FrameError::general_client_error, {},
                stage == FrameReader::Stage::too_large ? "frame too large" : "malformed frame");
            stream.shutdown_write();
            co_return Next::close;
        }
        if (!reader.begun()) co_return Next::go_on;
        first.clear();
        if (!timed) {
            timed = true;
            stream.expires_after(settings_.receive_time);
        }
        stream.quick_ack();
        const Ready ready = co_await stream.wait_read();
        if (ready == Ready::timed_out) counters_.timeouts.add();
        if (ready != Ready::ready) co_return Next::close;
    }
}

asio::awaitable<TcpServer::Next> TcpServer::answer(ByteStream& stream, Session& session,
                                                   Frame& frame) {
    if (frame.framing == Framing::versioned && frame.version > kVersion) {
        const std::uint8_t highest[] = {kVersion};
        co_return co_await refuse(stream, frame, FrameError::version_not_supported, highest,
                                  "version 10 is the highest here");
    }
    switch (static_cast<FrameType>(frame.type)) {
        case FrameType::pki_req:
            co_return co_await answer_message(stream, session, frame);
        case FrameType::poll_req:
            co_return co_await answer_poll(stream, session, frame);
        default:
            break;
    }
    const std::uint8_t type[] = {frame.type};
    co_return co_await refuse(stream, frame, FrameError::invalid_message_type, type,
                              "no such message type in a request");
}

asio::awaitable<TcpServer::Next> TcpServer::answer_message(ByteStream& stream, Session& session,
                                                           Frame& frame) {
    ra::Arrival arrival;
    arrival.der = std::move(frame.value);
    arrival.listener = settings_.listener;
    arrival.label = settings_.label;
    arrival.peer = stream.peer();
    arrival.deadline = ra::BootClock::now() + settings_.exchange_time;
    worker_.random().fill(arrival.trace.octets);
    counters_.requests.add();
    // Without promises nobody but this connection can ask for the answer.
    if (!settings_.poll_after) {
        ra::Reply answered = ra::Overloaded{};
        try {
            answered = co_await exchange_.exchange(std::move(arrival));
        } catch (...) {
            worker_.report("exchange", std::current_exception());
        }
        co_return co_await reply(stream, frame, answered);
    }
    co_return co_await wait_or_promise(stream, session, frame, std::move(arrival),
                                       *settings_.poll_after);
}

asio::awaitable<TcpServer::Next> TcpServer::wait_or_promise(ByteStream& stream, Session& session,
                                                            Frame& frame, ra::Arrival arrival,
                                                            std::chrono::milliseconds poll_after) {
    const auto pending = std::make_shared<Pending>(*this);
    worker_.tasks().spawn("tcp exchange", run(pending, std::move(arrival)));
    if (!pending->reply) (void)co_await pending->wakeup.wait(ra::BootClock::now() + poll_after);
    while (!pending->reply) {
        // Of who ends nobody can ask later.
        if (!ending())
            pending->reference =
                polls_->open(session.client, worker_.random(), ra::BootClock::now());
        if (pending->reference) co_return co_await say_poll(stream, frame, *pending->reference);
        // No reference is free: the client waits here, by the exchange's own deadline.
        (void)co_await pending->wakeup.wait(ra::BootTime::max());
    }
    co_return co_await reply(stream, frame, *pending->reply);
}

/// Runs in the task group: a disconnect does not end it, and it may outlive the server.
asio::awaitable<void> TcpServer::run(std::shared_ptr<Pending> pending, ra::Arrival arrival) {
    ra::Reply reply = ra::Overloaded{};
    try {
        reply = co_await pending->exchange.exchange(std::move(arrival));
    } catch (...) {
        pending->worker.report("exchange", std::current_exception());
    }
    if (pending->reference) {
        pending->polls->finish(*pending->reference, std::move(reply), ra::BootClock::now());
    } else {
        pending->reply = std::move(reply);
        pending->wakeup.notify();
    }
}

asio::awaitable<TcpServer::Next> TcpServer::answer_poll(ByteStream& stream, Session& session,
                                                        Frame& frame) {
    counters_.polls.add();
    const auto reference = read_poll_req(frame.value);
    if (!reference) {
        co_return co_await refuse(stream, frame, FrameError::general_client_error, {},
                                  "a polling reference is four octets");
    }
    PollTable::Found found = polls_->collect(*reference, session.client, ra::BootClock::now());
    if (std::holds_alternative<PollTable::Pending>(found))
        co_return co_await say_poll(stream, frame, *reference);
    if (const auto* answered = std::get_if<ra::Reply>(&found))
        co_return co_await reply(stream, frame, *answered);

    // Guessing at references is no way to use a connection.
    if (++session.misses >= settings_.max_misses) frame.close = true;
    co_return co_await refuse(stream, frame, FrameError::invalid_poll_id, frame.value,
                              "no such polling reference");
}

asio::awaitable<TcpServer::Next> TcpServer::reply(ByteStream& stream, const Frame& to,
                                                  const ra::Reply& reply) {
    static constexpr std::uint8_t kNothing[] = {0x00};
    if (const auto* answer = std::get_if<ra::Answer>(&reply))
        co_return co_await send(stream, to, FrameType::pki_rep, answer->der);
    if (std::holds_alternative<ra::Accepted>(reply))
        co_return co_await send(stream, to, FrameType::fin_rep, kNothing);
    if (std::holds_alternative<ra::Overloaded>(reply)) {
        co_return co_await refuse(stream, to, FrameError::general_server_error, {},
                                  "busy: try again later");
    }
    const auto& not_cmp = std::get<ra::NotCmp>(reply);
    if (!not_cmp.der.empty()) co_return co_await send(stream, to, FrameType::pki_rep, not_cmp.der);
    co_return co_await refuse(stream, to, FrameError::general_client_error, {}, "no PKIMessage");
}

asio::awaitable<TcpServer::Next> TcpServer::say_poll(ByteStream& stream, const Frame& to,
                                                     std::uint32_t reference) {
    auto when = static_cast<std::uint32_t>(settings_.check_back.count());
    // RFC 2510 counts from 1970, the later draft from now.
    if (to.framing == Framing::rfc2510)
        when += static_cast<std::uint32_t>(clock_.wall_now().time_since_epoch().count());
    const auto value = poll_rep_value(reference, when);
    co_return co_await send(stream, to, FrameType::poll_rep, value);
}

asio::awaitable<TcpServer::Next> TcpServer::refuse(ByteStream& stream, const Frame& to,
                                                   FrameError error, ra::ByteView data,
                                                   std::string_view text) {
    counters_.frame_errors.add();
    const ra::Bytes value = error_value(to.framing, error, data, text);
    co_return co_await send(stream, to, FrameType::error_rep, value);
}

asio::awaitable<TcpServer::Next> TcpServer::send(ByteStream& stream, const Frame& to,
                                                 FrameType type, ra::ByteView value) {
    const bool close = to.close || ending();
    const FrameHead head{to.framing, type, value.size(), close};
    error_code error;
    const std::size_t sent = stream.try_write(head.octets(), value, error);
    if (error == asio::error::would_block) {
        stream.expires_after(settings_.send_time);
        error = co_await stream.write(head.octets(), value, sent);
    }
    if (error) counters_.dropped_replies.add();
    co_return error || close ? Next::close : Next::go_on;
}

}  // namespace transports::tcp
