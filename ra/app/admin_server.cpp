#include "ra/app/admin_server.h"

#include <unistd.h>

#include <algorithm>

#include "ra/app/faults.h"
#include "transports/common/listener.h"
#include "transports/common/plain_stream.h"
#include "transports/http1/page_server.h"

namespace ra::app {

using admin::Caller;
using admin::Role;
using admin::Roles;
using transports::common::Listener;
using transports::common::ListenerSettings;
using transports::common::ListenSockets;
using transports::common::PlainStream;
using transports::http1::Page;
using transports::http1::PageRequest;
using transports::http1::PageServer;

namespace {

constexpr std::uint32_t kMostConnections = 64;
constexpr int kBacklog = 64;

/// Over http nobody is asked who they are: they may look. A page of another site that a browser on
/// this machine shows may not (its Host is not ours).
Caller caller_of(const PageRequest& request, const admin::LocalRoles& roles) {
    if (const auto* const plain = dynamic_cast<const PlainStream*>(&request.from)) {
        if (const auto peer = plain->local_peer())
            return {"uid:" + std::to_string(peer->uid), roles.of(peer->uid, peer->gids)};
    }
    static constexpr std::string_view kOurs[] = {"", "127.0.0.1", "localhost", "[::1]"};
    const bool ours =
        std::find(std::begin(kOurs), std::end(kOurs), request.host) != std::end(kOurs);
    return {request.from.peer().address, ours ? Roles{Role::view} : Roles{}};
}

ListenSockets bind(const config::AdminConfig::At& at, bool for_all) {
    if (!at.unix_path.empty())
        return transports::common::open_unix_socket(at.unix_path, for_all, kBacklog);
    return transports::common::open_listen_sockets(at.http.host, at.http.port, 1, kBacklog);
}

}  // namespace

struct AdminServer::Entry {
    std::string unix_path;
    std::unique_ptr<PageServer> pages;
    std::unique_ptr<Listener> listener;
};

AdminServer::AdminServer(const config::AdminConfig& config, const admin::Admin& admin, Log& log)
    : admin_{admin},
      log_{log},
      workers_{1, fault_log(log)},
      roles_{std::make_shared<const admin::LocalRoles>(config.roles)} {
    for (const config::AdminConfig::At& at : config.urls) {
        auto entry = std::make_unique<Entry>();
        // NOLINTNEXTLINE(cppcoreguidelines-avoid-capturing-lambda-coroutines): outlives its calls.
        const auto answer = [this](PageRequest request) -> asio::awaitable<Page> {
            Caller caller = caller_of(request, *roles_);
            admin::Request asked{
                std::move(request.method), std::move(request.path), {},
                std::move(request.query),  std::move(request.body), std::move(caller)};
            auto said = co_await handle(std::move(asked), request.trace.text());
            co_return Page{said.status, said.content_type, std::move(said.body), said.allow};
        };
        entry->pages = std::make_unique<PageServer>(workers_[0], answer);
        ListenerSettings settings;
        settings.max_connections = kMostConnections;
        entry->listener =
            std::make_unique<Listener>(bind(at, config.roles.any()), settings,
                                       std::vector<Listener::Seat>{{workers_[0], *entry->pages}});
        entry->unix_path = at.unix_path;
        entries_.push_back(std::move(entry));
    }
}

AdminServer::~AdminServer() { stop(); }

/// Whoever does more than look is written down, and whoever may not.
asio::awaitable<admin::Response> AdminServer::handle(admin::Request request, std::string trace) {
    const std::string method = request.method;
    const std::string path = request.path;
    const std::string caller = request.caller.name;
    admin::Response response = co_await admin_.handle(std::move(request));
    if (method != "GET" || response.status == 403) {
        const bool good = response.status < 400;
        log_.write(good ? Log::Level::info : Log::Level::warning, "admin",
                   {{"method", std::string_view{method}},
                    {"path", std::string_view{path}},
                    {"caller", std::string_view{caller}},
                    {"status", static_cast<std::int64_t>(response.status)},
                    {"trace", std::string_view{trace}}});
    }
    co_return response;
}

void AdminServer::start() {
    if (entries_.empty()) return;
    workers_.start();
    for (const auto& entry : entries_) entry->listener->start();
}

void AdminServer::use(const config::AdminConfig& config) {
    auto roles = std::make_shared<const admin::LocalRoles>(config.roles);
    workers_[0].post([this, roles = std::move(roles)] { roles_ = roles; });
}

void AdminServer::stop() {
    if (std::exchange(stopped_, true)) return;
    for (const auto& entry : entries_) entry->listener->stop();
    (void)workers_.drain(BootClock::now() + std::chrono::seconds{1});
    workers_.stop();
    for (const auto& entry : entries_) {
        if (!entry->unix_path.empty()) ::unlink(entry->unix_path.c_str());
    }
}

std::vector<std::string> AdminServer::served() const {
    std::vector<std::string> all;
    for (const auto& entry : entries_) all.push_back(entry->listener->text());
    return all;
}

}  // namespace ra::app
