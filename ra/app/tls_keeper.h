#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "ra/app/config/config.h"
#include "ra/app/log.h"
#include "transports/common/tls_context.h"

namespace ra::app {

/// The TLS contexts of a configuration's listeners and upstreams: loaded whole or not at all, made
/// anew when one of their files changes. look() is for one thread at a time, the rest for any.
class TlsKeeper {
public:
    using ContextPtr = transports::common::TlsContextPtr;

    /// Loads everything. Throws std::runtime_error. `log` outlives this. `before`: of the
    /// configuration before, so that sessions outlive a reload and what did not change stays as it
    /// is; may be null.
    TlsKeeper(const config::Config& config, Log& log, const TlsKeeper* before = nullptr);

    /// Null: cleartext, or there is none of that name.
    [[nodiscard]] ContextPtr listener(const std::string& name) const {
        return find(listeners_, name);
    }
    [[nodiscard]] ContextPtr upstream(const std::string& name) const {
        return find(upstreams_, name);
    }

    /// When each certificate we show ends (S-44).
    struct Expiry {
        std::string_view side;  // "listener", "upstream"
        std::string owner;
        std::string certificate;
        WallTime at;
    };
    [[nodiscard]] std::vector<Expiry> expiries() const;

    struct Changed {
        std::vector<std::string> listeners;  // whose contexts are new
        std::vector<std::string> upstreams;
    };
    /// Looks at the files (blocks on the disk). Where one has changed and everything with it loads,
    /// the context is replaced; where it does not load, the old one stays. Both are logged.
    [[nodiscard]] Changed look();

private:
    /// What tells a changed file: inode, size and time of change.
    struct Mark {
        std::uint64_t inode = 0;
        std::int64_t size = -1;
        std::int64_t seconds = 0;
        std::int64_t nanoseconds = 0;
        friend bool operator==(const Mark&, const Mark&) = default;
    };
    struct Kept {
        std::string_view side;  // "listener", "upstream"
        std::string owner;
        std::string name;  // "listener front"
        std::string said;  // what the configuration says of it
        std::vector<std::string> files;
        std::function<ContextPtr()> load;
        std::vector<Mark> marks;  // under mutex_, for others than look()
        ContextPtr context;       // under mutex_
    };

    static std::vector<Mark> marks_of(const std::vector<std::string>& files);
    /// `before`: of `keeper`; both null: there was none.
    void load_first(Kept& kept, const TlsKeeper* keeper, const std::vector<Kept>* before);
    [[nodiscard]] ContextPtr find(const std::vector<Kept>& among, const std::string& name) const;
    bool look_at(Kept& kept);
    void warn(const Kept& kept) const;

    Log& log_;
    mutable std::mutex mutex_;
    std::shared_ptr<transports::common::TlsTicketKeys> tickets_;
    std::vector<Kept> listeners_;
    std::vector<Kept> upstreams_;
};

}  // namespace ra::app
