#include "ra/app/tls_keeper.h"

#include <sys/stat.h>

#include "ra/app/config/tls.h"

namespace ra::app {

using transports::common::TlsTicketKeys;

TlsKeeper::TlsKeeper(const config::Config& config, Log& log, const TlsKeeper* before)
    : log_{log},
      tickets_{before != nullptr ? before->tickets_ : std::make_shared<TlsTicketKeys>()} {
    const auto name = [](Kept& kept, std::string_view side, const std::string& owner) {
        kept.side = side;
        kept.owner = owner;
        kept.name = std::string(side) + ' ' + owner;
    };
    for (const config::ListenerConfig& listener : config.listeners) {
        Kept& kept = listeners_.emplace_back();
        name(kept, "listener", listener.name);
        if (!listener.tls) continue;
        kept.files = config::tls_files(*listener.tls, config.directory);
        kept.load = [listener, directory = config.directory, keys = tickets_] {
            return config::load_listener_tls(listener, directory, keys);
        };
        kept.said = config::tls_text(listener);
        load_first(kept, before, before != nullptr ? &before->listeners_ : nullptr);
    }
    for (const config::UpstreamConfig& upstream : config.upstreams) {
        Kept& kept = upstreams_.emplace_back();
        name(kept, "upstream", upstream.name);
        if (!upstream.tls) continue;
        kept.files = config::tls_files(*upstream.tls, config.directory);
        kept.load = [upstream, directory = config.directory] {
            return config::load_upstream_tls(upstream, directory);
        };
        kept.said = config::tls_text(upstream);
        load_first(kept, before, before != nullptr ? &before->upstreams_ : nullptr);
    }
}

std::vector<TlsKeeper::Mark> TlsKeeper::marks_of(const std::vector<std::string>& files) {
    std::vector<Mark> marks;
    for (const std::string& file : files) {
        Mark& mark = marks.emplace_back();
        struct stat facts{};
        if (::stat(file.c_str(), &facts) != 0) continue;
        mark.inode = facts.st_ino;
        mark.size = facts.st_size;
        mark.seconds = facts.st_mtim.tv_sec;
        mark.nanoseconds = facts.st_mtim.tv_nsec;
    }
    return marks;
}

void TlsKeeper::load_first(Kept& kept, const TlsKeeper* keeper, const std::vector<Kept>* before) {
    // Marks first: what changes while it loads is loaded again.
    kept.marks = marks_of(kept.files);
    if (keeper != nullptr) {
        const std::lock_guard lock{keeper->mutex_};
        for (const Kept& one : *before) {
            if (one.name == kept.name && one.said == kept.said && one.files == kept.files &&
                one.marks == kept.marks && one.context != nullptr) {
                kept.context = one.context;
                return;
            }
        }
    }
    try {
        kept.context = kept.load();
    } catch (const std::exception& fault) {
        throw std::runtime_error(kept.name + ": " + fault.what());
    }
    warn(kept);
}

void TlsKeeper::warn(const Kept& kept) const {
    for (const std::string& warning : kept.context->warnings()) {
        log_.write(Log::Level::warning, "tls",
                   {{"for", std::string_view{kept.name}}, {"detail", std::string_view{warning}}});
    }
}

bool TlsKeeper::look_at(Kept& kept) {
    if (!kept.load) return false;
    std::vector<Mark> marks = marks_of(kept.files);
    if (marks == kept.marks) return false;
    {
        const std::lock_guard lock{mutex_};
        kept.marks = std::move(marks);
    }
    ContextPtr context;
    try {
        context = kept.load();
    } catch (const std::exception& fault) {
        log_.write(
            Log::Level::error, "tls-kept",
            {{"for", std::string_view{kept.name}}, {"detail", std::string_view{fault.what()}}});
        return false;
    }
    {
        const std::lock_guard lock{mutex_};
        kept.context = std::move(context);
    }
    log_.write(Log::Level::info, "tls-reloaded", {{"for", std::string_view{kept.name}}});
    warn(kept);
    return true;
}

TlsKeeper::ContextPtr TlsKeeper::find(const std::vector<Kept>& among,
                                      const std::string& name) const {
    const std::lock_guard lock{mutex_};
    for (const Kept& kept : among) {
        if (kept.owner == name) return kept.context;
    }
    return nullptr;
}

std::vector<TlsKeeper::Expiry> TlsKeeper::expiries() const {
    std::vector<Expiry> all;
    const std::lock_guard lock{mutex_};
    for (const auto* side : {&listeners_, &upstreams_}) {
        for (const Kept& kept : *side) {
            if (kept.context == nullptr) continue;
            for (const auto& one : kept.context->expiries())
                all.push_back({kept.side, kept.owner, one.name, one.at});
        }
    }
    return all;
}

TlsKeeper::Changed TlsKeeper::look() {
    Changed changed;
    for (Kept& kept : listeners_) {
        if (look_at(kept)) changed.listeners.push_back(kept.owner);
    }
    for (Kept& kept : upstreams_) {
        if (look_at(kept)) changed.upstreams.push_back(kept.owner);
    }
    return changed;
}

}  // namespace ra::app
