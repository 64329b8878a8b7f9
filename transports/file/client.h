#pragma once

#include <mutex>
#include <string>

#include "transports/file/directory.h"

namespace transports::file {

/// The way to a CA that is not on any network: requests are put into `out`, somebody carries them
/// there and the answers back into `in`, under the requests' names. Whoever wants an answer asks
/// for it; nothing is held here, so nothing is lost when the process ends. Thread-safe; calls block
/// on the disk.
class SpoolClient {
public:
    /// Throws std::runtime_error, as Spool does. `most`: octets of an answer.
    SpoolClient(const std::string& path, std::size_t most) : spool_{path}, most_{most} {}

    /// Puts a request there; `name` without its extension. Synced when this returns. `exists`: one
    /// of that name is there, or its answer.
    [[nodiscard]] Made put(const std::string& name, ra::ByteView der);
    /// Whether the request is still there, not yet carried away.
    [[nodiscard]] bool is_waiting(const std::string& name) const;
    /// The answer, if there is one; it stays. What is refused goes to `failed`.
    [[nodiscard]] Found collect(const std::string& name);
    /// The answer was not believed: it goes to `failed`.
    void refuse(const std::string& name, const std::string& why);
    /// The answer was used: it goes, and so does what is left of the request.
    void forget(const std::string& name);

private:
    std::mutex mutex_;  // one writer in `work`
    const Spool spool_;
    const std::size_t most_;
};

}  // namespace transports::file
