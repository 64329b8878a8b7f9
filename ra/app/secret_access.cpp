#include "ra/app/secret_access.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <stdexcept>
#include <vector>

#include "ra/app/admin_client.h"
#include "ra/app/secrets.h"
#include "ra/app/store_host.h"

namespace ra::app {
namespace {

void check_profile(const config::Config& config, const std::string& profile) {
    if (profile.empty()) return;
    std::vector<std::string_view> names;
    for (const config::ProfileConfig& one : config.profiles) {
        if (one.profile.origin.mac != policy::OriginSettings::Mac::secrets) continue;
        if (one.profile.name == profile) return;
        names.push_back(one.profile.name);
    }
    throw std::invalid_argument("no profile " + config::in_quotes(profile) + " takes secrets" +
                                config::suggestion(profile, names));
}

}  // namespace

SecretAccess::SecretAccess(const std::string& config_file) {
    config::Faults faults{config_file};
    config_ = config::read_config(config_file, faults);
    if (faults.has_errors()) throw std::runtime_error(faults.text());
}

std::string SecretAccess::add(const std::string& order) {
    const WallTime now = SystemClock{}.wall_now();
    check_profile(config_, parse_secret_order(order, now).profile);
    return ask_or_do("POST", "/secrets", order, [&](gateway::Secrets& secrets, Random& random) {
        return add_secret(secrets, parse_secret_order(order, now), random, now);
    });
}

std::string SecretAccess::list() {
    return ask_or_do("GET", "/secrets", {}, [](gateway::Secrets& secrets, Random&) {
        return list_secrets(secrets, SystemClock{}.wall_now());
    });
}

std::string SecretAccess::revoke(const std::string& reference) {
    return ask_or_do(
        "DELETE", "/secrets/" + reference, {},
        [&](gateway::Secrets& secrets, Random&) { return revoke_secret(secrets, reference); });
}

std::string SecretAccess::ask_or_do(std::string_view method, const std::string& path,
                                    std::string_view body, const Task& task) const {
    if (config_.admin.urls.empty()) return run_on_store(task);
    AdminReply reply;
    try {
        reply = ask_gateway(config_.admin, method, path, body);
    } catch (const std::runtime_error&) {
        // Nobody there. With a store that forgets there is nothing else.
        if (config_.store.kind == config::StoreConfig::Kind::memory) throw;
        return run_on_store(task);
    }
    return told_by(reply);
}

/// On the store of a gateway that does not run.
std::string SecretAccess::run_on_store(const Task& task) const {
    if (config_.store.kind == config::StoreConfig::Kind::memory) {
        throw std::runtime_error(
            "[store] kind = \"memory\" keeps nothing that a stopped gateway could have, and there "
            "is no [admin] to ask a running one");
    }
    const SystemClock clock;
    SystemRandom random;
    config::LogConfig log_settings;
    log_settings.level = config::LogConfig::Level::error;
    Log log{log_settings};
    StoreHost host{config_, clock, random, log};
    boost::asio::io_context io;
    std::exception_ptr failed;
    std::string told;
    boost::asio::co_spawn(io, task(host.secrets(), random),
                          [&](std::exception_ptr fault, std::string text) {
                              failed = std::move(fault);
                              told = std::move(text);
                          });
    io.run();
    host.stop();
    if (failed) std::rethrow_exception(failed);
    return told;
}

}  // namespace ra::app
