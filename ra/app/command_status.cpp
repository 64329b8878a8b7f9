#include <CLI/App.hpp>
#include <boost/json.hpp>
#include <iostream>

#include "ra/app/admin_client.h"
#include "ra/app/commands.h"

namespace ra::app {
namespace {

/// The configuration that says where the gateway is reached; what else is wrong with it matters to
/// the gateway, not to who asks it.
config::AdminConfig admin_of(const std::string& path) {
    config::Faults faults{path};
    const config::Config config = config::read_config(path, faults);
    if (config.admin.urls.empty() && faults.has_errors()) throw std::runtime_error(faults.text());
    return config.admin;
}

int status(const std::string& path, bool json) {
    const config::AdminConfig admin = admin_of(path);
    const AdminReply reply = ask_gateway(admin, "GET", "/ready");
    if (reply.status != 200 && reply.status != 503)
        throw std::runtime_error("the gateway says " + std::to_string(reply.status) + ": " +
                                 reply.body);
    if (json) {
        std::cout << reply.body;
        return reply.status == 200 ? 0 : kFailed;
    }
    const boost::json::object said = boost::json::parse(reply.body).as_object();
    std::cout << (reply.status == 200 ? "ready" : "not ready") << '\n';
    for (const char* key : {"reasons", "degraded"}) {
        for (const auto& reason : said.at(key).as_array())
            std::cout << "  " << std::string_view{reason.as_string()} << '\n';
    }
    return reply.status == 200 ? 0 : kFailed;
}

int reload(const std::string& path) {
    const AdminReply reply = ask_gateway(admin_of(path), "POST", "/reload");
    if (reply.status != 200 && reply.status != 422)
        throw std::runtime_error("the gateway says " + std::to_string(reply.status) + ": " +
                                 reply.body);
    const boost::json::object said = boost::json::parse(reply.body).as_object();
    std::cerr << std::string_view{said.at("faults").as_string()};
    std::cout << (reply.status == 200 ? "reloaded\n" : "refused; nothing has changed\n");
    return reply.status == 200 ? 0 : kFailed;
}

}  // namespace

void add_status(CLI::App& app, Run& run) {
    CLI::App* command =
        app.add_subcommand("status", "Whether the running gateway is ready, and why not");
    auto path = std::make_shared<std::string>();
    auto json = std::make_shared<bool>(false);
    command->add_option("-c,--config", *path, "Its configuration file")->required();
    command->add_flag("--json", *json, "As one JSON object");
    command->callback([&run, path, json] { run = [path, json] { return status(*path, *json); }; });
}

void add_reload(CLI::App& app, Run& run) {
    CLI::App* command = app.add_subcommand(
        "reload", "Have the running gateway read its configuration again, and hear what it says");
    auto path = std::make_shared<std::string>();
    command->add_option("-c,--config", *path, "Its configuration file")->required();
    command->callback([&run, path] { run = [path] { return reload(*path); }; });
}

}  // namespace ra::app
