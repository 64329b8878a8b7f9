#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ra/app/admin_server.h"
#include "ra/app/lab_ca.h"
#include "ra/app/log.h"
#include "ra/app/operations.h"
#include "ra/app/server.h"

namespace ra::app {

/// The configuration file a gateway runs by, read again when asked to. On the main thread.
class Reloader {
public:
    /// `config`: what `server` runs by now. The others outlive this.
    Reloader(Server& server, config::Config config, std::unique_ptr<LabCaHost>& lab_ca, Log& log);
    /// Who may administer changes with a reload, too. It outlives this.
    void also(AdminServer& admin) noexcept { admin_ = &admin; }

    /// Reads the file and all it names again, and has the server run by it; true: it does. A fault
    /// changes nothing: all of them are logged with their places.
    bool reload();

    /// From any thread: has the main thread reload (by a SIGHUP to this process); `done` is told.
    void ask(std::function<void(ReloadResult)> done);
    /// From any thread: has the main thread take over what was renewed (by a SIGUSR1).
    void renewed(crypto::CredentialPtr credential);
    /// On the main thread, at SIGUSR1.
    void take_renewed();
    /// No reload any more: who asked and waits, and who asks from now on, is told so.
    void end();

    [[nodiscard]] const config::Config& config() const noexcept { return config_; }

private:
    bool try_reload(config::Faults& faults);

    Server& server_;
    config::Config config_;
    std::unique_ptr<LabCaHost>& lab_ca_;
    Log& log_;
    AdminServer* admin_ = nullptr;
    std::vector<std::string> listeners_;  // names by id
    std::uint64_t generation_ = 1;
    std::mutex mutex_;
    std::vector<std::function<void(ReloadResult)>> asked_;
    std::vector<crypto::CredentialPtr> renewed_;
    bool ended_ = false;
};

}  // namespace ra::app
