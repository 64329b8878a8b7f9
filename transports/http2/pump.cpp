#include "transports/http2/pump.h"

#include <boost/asio/error.hpp>

namespace transports::http2 {

namespace asio = boost::asio;
using common::error_code;
using common::Ready;

namespace {

constexpr std::size_t kOneWrite = 16 * 1024;  // a record of TLS

}  // namespace

bool Pump::send(ra::ByteView octets) {
    error_code error;
    const std::size_t sent = stream_.try_write(octets, {}, error);
    if (sent == octets.size()) return true;
    if (error == asio::error::would_block) {
        const auto rest = octets.subspan(sent);
        pending_.assign(rest.begin(), rest.end());
        return false;
    }
    broken_ = true;
    stream_.close();
    return false;
}

/// True: nothing is left to say. False: octets are pending, or the stream is broken.
bool Pump::say_all() {
    // Frames are small: they leave together.
    thread_local ra::Bytes gathered;
    for (;;) {
        gathered.clear();
        while (gathered.size() < kOneWrite) {
            const ra::ByteView piece = session_.output();
            if (piece.empty()) break;
            ra::append(gathered, piece);
        }
        if (gathered.empty()) return true;
        if (!send(gathered)) return false;
    }
}

void Pump::flush(const std::shared_ptr<void>& owner) {
    if (writing_ || broken_ || say_all() || broken_) return;
    writing_ = true;
    since_ = ra::BootClock::now();
    worker_.tasks().spawn("http2-write", write_on(*this, owner));
}

asio::awaitable<void> Pump::write_on(Pump& self, std::shared_ptr<void> owner) {
    while (!self.broken_) {
        const Ready ready = co_await self.stream_.wait_write();
        if (ready != Ready::ready) {
            self.broken_ = true;
            self.stream_.close();
            break;
        }
        const ra::Bytes pending = std::exchange(self.pending_, {});
        if (!self.send(pending)) continue;
        self.since_ = ra::BootClock::now();
        if (self.say_all()) break;
    }
    self.writing_ = false;
    self.ended_.notify();
}

asio::awaitable<void> Pump::finish(ra::BootTime until) {
    while (writing_) {
        const bool ended = co_await ended_.wait(until);
        if (!ended) stream_.close();
    }
}

}  // namespace transports::http2
