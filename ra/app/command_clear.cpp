#include <CLI/App.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <iostream>

#include "ra/app/admin_client.h"
#include "ra/app/commands.h"
#include "ra/app/ledger_endpoints.h"
#include "ra/app/store_host.h"

namespace ra::app {
namespace {

struct Options {
    std::string config;
    std::vector<std::string> ids;
    std::string reason;
};

/// On the store of a gateway that does not run, whose lock this process holds meanwhile.
class StoppedLedger {
public:
    explicit StoppedLedger(const config::Config& config)
        : log_{settings()}, host_{config, clock_, random_, log_} {}
    ~StoppedLedger() { host_.stop(); }
    StoppedLedger(const StoppedLedger&) = delete;
    StoppedLedger& operator=(const StoppedLedger&) = delete;

    void clear(std::int64_t id) {
        boost::asio::io_context io;
        std::exception_ptr failed;
        std::optional<bool> cleared;
        boost::asio::co_spawn(io, host_.clear_orphan(id),
                              [&](std::exception_ptr fault, std::optional<bool> done) {
                                  failed = std::move(fault);
                                  cleared = done;
                              });
        io.run();
        if (failed) std::rethrow_exception(failed);
        if (!cleared) throw std::runtime_error("the store takes nothing now");
        if (!*cleared) throw std::runtime_error("the ledger has no entry " + std::to_string(id));
    }

private:
    static config::LogConfig settings() {
        config::LogConfig settings;
        settings.level = config::LogConfig::Level::error;
        return settings;
    }
    SystemClock clock_;
    SystemRandom random_;
    Log log_;
    StoreHost host_;
};

/// Whether a gateway runs; then it has cleared `id`.
bool cleared_by_gateway(const config::Config& config, std::int64_t id, const std::string& reason) {
    if (config.admin.urls.empty()) return false;
    AdminReply reply;
    try {
        reply = ask_gateway(config.admin, "DELETE", "/orphans/" + std::to_string(id), reason);
    } catch (const std::runtime_error&) {
        return false;  // nobody there
    }
    (void)told_by(reply);
    return true;
}

int clear(const Options& options) {
    config::Faults faults{options.config};
    const config::Config config = config::read_config(options.config, faults);
    if (faults.has_errors()) {
        std::cerr << faults.text();
        return kFailed;
    }
    if (config.store.kind != config::StoreConfig::Kind::sqlite)
        throw std::runtime_error("[store] kind = \"memory\" keeps no ledger");
    if (!is_reason(options.reason))
        throw std::runtime_error("--reason wants 1 to 256 octets on one line");
    std::optional<StoppedLedger> stopped;
    for (const std::string& text : options.ids) {
        const auto id = parse_orphan_id(text);
        if (!id)
            throw std::runtime_error(text + " is no number of an entry (cmpgate audit orphans)");
        if (!stopped && !cleared_by_gateway(config, *id, options.reason)) {
            if (!config.audit.path.empty()) {
                throw std::runtime_error(
                    "the gateway does not run, and [audit] wants it written down who cleared what: "
                    "start it");
            }
            stopped.emplace(config);
        }
        if (stopped) stopped->clear(*id);
        std::cout << "cleared " << *id << '\n';
    }
    return 0;
}

}  // namespace

void add_clear(CLI::App& audit, Run& run) {
    CLI::App* command = audit.add_subcommand(
        "clear",
        "Takes entries off the ledger, once it is known what became of them at the CA; through the "
        "running gateway, or on a stopped one's store");
    auto options = std::make_shared<Options>();
    command->add_option("-c,--config", options->config, "Configuration file (TOML)")->required();
    command->add_option("id", options->ids, "Numbers, as `cmpgate audit orphans` shows them")
        ->required();
    command
        ->add_option("--reason", options->reason, "What was found at the CA, for the audit trail")
        ->required();
    command->callback([&run, options] { run = [options] { return clear(*options); }; });
}

}  // namespace ra::app
