#include "transports/http2/client_connection.h"

#include <boost/asio/error.hpp>

namespace transports::http2 {

namespace asio = boost::asio;
using common::error_code;
using common::Ready;

namespace {

constexpr int kReadsAWakeup = 8;
constexpr std::chrono::seconds kStallTime{15};  // for octets the server does not take
constexpr std::chrono::hours kNoDeadline{1};    // each delivery has its own

}  // namespace

std::shared_ptr<ClientConnection> ClientConnection::start(
    common::Worker& worker, std::unique_ptr<common::ByteStream> stream,
    const http1::HttpClientSettings& settings, http1::HttpClientCounters& counters) {
    auto made = std::make_shared<ClientConnection>(worker, *stream, settings, counters);
    stream->set_drainable(made.get());
    auto task = run(made);
    worker.tasks().spawn_session("http2-upstream", std::move(stream), std::move(task));
    return made;
}

ClientConnection::ClientConnection(common::Worker& worker, common::ByteStream& stream,
                                   const http1::HttpClientSettings& settings,
                                   http1::HttpClientCounters& counters)
    : worker_{worker},
      stream_{stream},
      counters_{counters},
      idle_time_{settings.idle_time},
      session_{{settings.max_header, settings.max_body}},
      pump_{worker, stream, session_},
      active_{ra::BootClock::now()} {
    counters_.open.add();
}

StreamId ClientConnection::call(const Fields& fields, std::shared_ptr<Call> call) {
    if (!usable()) return -1;
    active_ = ra::BootClock::now();
    const StreamId stream = session_.call(fields, std::move(call));
    if (stream > 0) advance();
    return stream;
}

void ClientConnection::abandon(StreamId stream) {
    if (!alive_) return;
    session_.abandon(stream);
    // A server that kept one waiting for so long may keep others: the next goes elsewhere.
    retire();
}

void ClientConnection::retire() noexcept {
    retired_ = true;
    advance();
}

/// Sends what there is, and wakes the reader if nothing is left to do.
void ClientConnection::advance() {
    if (!alive_) return;
    const bool last = retired_ || session_.going_away() || worker_.tasks().draining();
    if (last && session_.calls() == 0 && !said_goodbye_) {
        said_goodbye_ = true;
        session_.go_away();
    }
    pump_.flush(shared_from_this());
    stream_.expires_at(said_goodbye_ || session_.over() ? ra::BootClock::now() : deadline());
}

ra::BootTime ClientConnection::deadline() const {
    if (pump_.stalled()) return pump_.stalled_since() + kStallTime;
    return active_ + (session_.calls() == 0 ? idle_time_ : kNoDeadline);
}

bool ClientConnection::read() {
    for (int i = 0; i < kReadsAWakeup; ++i) {
        const auto scratch = worker_.scratch();
        error_code error;
        const std::size_t got = stream_.try_read(scratch, error);
        if (error == asio::error::would_block) return true;
        if (error) return false;
        active_ = ra::BootClock::now();
        if (!session_.receive(ra::ByteView{scratch.data(), got}, active_)) return false;
    }
    return true;
}

asio::awaitable<void> ClientConnection::run(std::shared_ptr<ClientConnection> self) {
    for (bool open = true; open;) {
        self->advance();
        if (self->said_goodbye_ || self->session_.over() || self->pump_.broken()) break;
        const Ready ready = co_await self->stream_.wait_read();
        if (ready == Ready::closed) break;
        if (ready == Ready::ready) {
            open = self->read();
        } else {
            open = !self->pump_.stalled() && !self->said_goodbye_;
            if (self->session_.calls() == 0) self->retired_ = true;  // idle for long enough
        }
    }
    self->advance();
    co_await self->pump_.finish(ra::BootClock::now() + std::chrono::seconds{1});
    self->alive_ = false;
    self->session_.disconnected();
    self->stream_.set_drainable(nullptr);
    self->stream_.close();
    self->counters_.open.subtract();
}

}  // namespace transports::http2
