#include "ra/app/secret_access.h"

#include <boost/json.hpp>
#include <stdexcept>
#include <vector>

#include "ra/app/admin_client.h"
#include "ra/app/secrets.h"

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
    check_profile(config_, parse_secret_order(order, SystemClock{}.wall_now()).profile);
    return ask("POST", "/secrets", order);
}

std::string SecretAccess::list() { return ask("GET", "/secrets"); }

std::string SecretAccess::revoke(const std::string& reference) {
    return ask("DELETE", "/secrets/" + reference);
}

std::string SecretAccess::ask(std::string_view method, const std::string& path,
                              std::string_view body) const {
    const AdminReply reply = ask_gateway(config_.admin, method, path, body);
    std::string told = reply.body;
    while (told.ends_with('\n')) told.pop_back();
    if (reply.status == 200) return told;
    boost::system::error_code error;
    const boost::json::value said = boost::json::parse(told, error);
    const auto* const object = error ? nullptr : said.if_object();
    const auto* const why = object != nullptr ? object->if_contains("error") : nullptr;
    throw std::runtime_error(why != nullptr && why->is_string()
                                 ? std::string(why->as_string())
                                 : "the gateway says " + std::to_string(reply.status) + ": " +
                                       told);
}

}  // namespace ra::app
