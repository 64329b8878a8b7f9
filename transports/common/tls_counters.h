#pragma once

#include <array>
#include <chrono>

#include "transports/common/count.h"
#include "transports/common/tls_stream.h"

namespace transports::common {

/// Handshakes of one listener or upstream on one worker.
struct TlsCounters {
    Count full;
    Count resumed;
    std::array<Count, 4> failed;  // by TlsFault::Kind
    Count microseconds;           // of CPU in all of them

    void succeeded(const TlsStream& stream) noexcept {
        (stream.resumed() ? resumed : full).add();
        spent(stream);
    }
    void fault(const TlsStream& stream, const TlsFault& fault) noexcept {
        failed[static_cast<std::size_t>(fault.kind) % failed.size()].add();
        spent(stream);
    }

private:
    void spent(const TlsStream& stream) noexcept {
        microseconds.add(static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(stream.handshake_cost())
                .count()));
    }
};

}  // namespace transports::common
