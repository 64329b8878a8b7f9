#pragma once

#include <functional>
#include <string>

#include "ra/admin/admin.h"
#include "ra/app/server.h"

namespace ra::app {

/// How a reload that somebody asked for ended.
struct ReloadResult {
    bool changed = false;
    std::string faults;  // as `check` prints them
};
/// Asks for a reload; `done` is called once, on another thread.
using AskReload = std::function<void(std::function<void(ReloadResult)> done)>;

/// GET /metrics, /ready, /live (view) and POST /reload (config). All outlive `admin`.
void add_operations(admin::Admin& admin, const Server& server, AskReload ask_reload);

/// POST /mail (view): one message in DER for the listener "mail:", its answer back.
void add_mail_endpoint(admin::Admin& admin, Server& server);

}  // namespace ra::app
