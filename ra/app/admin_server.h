#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ra/admin/admin.h"
#include "ra/app/config/config.h"
#include "ra/app/log.h"
#include "transports/common/workers.h"

namespace ra::app {

/// Where operators reach the gateway (S-40): on a thread of its own, so that it answers whatever
/// the workers do, and costs them nothing.
class AdminServer {
public:
    /// Binds; throws std::runtime_error. `admin` and `log` outlive this; endpoints are registered
    /// before start().
    AdminServer(const config::AdminConfig& config, const admin::Admin& admin, Log& log);
    ~AdminServer();
    AdminServer(const AdminServer&) = delete;
    AdminServer& operator=(const AdminServer&) = delete;

    void start();
    /// From any thread: who may do what, from now on.
    void use(const config::AdminConfig& config);
    /// Lets requests under way end, a second at most; Unix sockets are removed.
    void stop();

    /// "unix:/run/cmpgate/admin.sock", "127.0.0.1:9464".
    [[nodiscard]] std::vector<std::string> served() const;

private:
    struct Entry;
    boost::asio::awaitable<admin::Response> handle(admin::Request request, std::string trace);

    const admin::Admin& admin_;
    Log& log_;
    transports::common::Workers workers_;
    std::shared_ptr<const admin::LocalRoles> roles_;  // of the admin thread
    std::vector<std::unique_ptr<Entry>> entries_;
    bool stopped_ = false;
};

}  // namespace ra::app
