#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "transports/common/byte_stream.h"
#include "transports/common/wakeup.h"
#include "transports/common/worker.h"
#include "transports/http2/session.h"

namespace transports::http2 {

/// Sends what a session has to say. Where the socket takes it at once no coroutine is needed, so an
/// idle connection has none for writing.
class Pump {
public:
    /// All outlive it.
    Pump(common::Worker& worker, common::ByteStream& stream, Session& session) noexcept
        : worker_{worker}, stream_{stream}, session_{session}, ended_{worker} {}

    /// Sends what there is; what the socket does not take now is sent by a task that keeps `owner`
    /// (of this, the session and the stream's user) alive. Not from within an event of the session.
    void flush(const std::shared_ptr<void>& owner);

    /// The peer does not read: since when octets wait.
    [[nodiscard]] bool stalled() const noexcept { return writing_; }
    [[nodiscard]] ra::BootTime stalled_since() const noexcept { return since_; }
    [[nodiscard]] bool broken() const noexcept { return broken_; }

    /// Returns when the task has ended: before that the stream must not go. By `until` it is made
    /// to end, by closing the stream.
    [[nodiscard]] boost::asio::awaitable<void> finish(ra::BootTime until);

private:
    [[nodiscard]] static boost::asio::awaitable<void> write_on(Pump& self,
                                                               std::shared_ptr<void> owner);
    /// False: would block, or the stream is broken.
    bool send(ra::ByteView octets);
    bool say_all();

    common::Worker& worker_;
    common::ByteStream& stream_;
    Session& session_;
    common::Wakeup ended_;
    ra::Bytes pending_;  // what the socket did not take
    ra::BootTime since_{};
    bool writing_ = false;
    bool broken_ = false;
};

}  // namespace transports::http2
