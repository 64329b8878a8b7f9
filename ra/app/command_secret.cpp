#include <CLI/App.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <iterator>

#include "ra/app/commands.h"
#include "ra/app/config/config.h"
#include "ra/app/secret_access.h"
#include "ra/app/secrets.h"

namespace ra::app {
namespace json = boost::json;
namespace {

struct Options {
    std::string config;
    std::string reference;
    std::string profile;
    std::string expires;
    std::string secret_file;
    std::uint32_t uses = 1;
    bool as_json = false;
};

/// One line, without its end: a secret is never an argument, where others could read it.
std::string read_secret_line(const std::string& path) {
    std::string text;
    if (path == "-") {
        std::getline(std::cin, text);
    } else {
        std::ifstream file{path, std::ios::binary};
        if (!file) throw std::runtime_error(path + " cannot be read");
        std::getline(file, text);
    }
    if (text.ends_with('\r')) text.pop_back();
    if (text.empty()) throw std::runtime_error("the secret is empty");
    return text;
}

std::string text_at(const json::object& object, std::string_view key) {
    const json::value* const value = object.if_contains(key);
    if (value == nullptr) return "-";
    return value->is_string() ? std::string(value->as_string()) : json::serialize(*value);
}

void print_list(const json::array& all) {
    constexpr std::pair<const char*, int> kColumns[] = {
        {"reference", 26}, {"state", 9}, {"profile", 14}, {"used", 6}, {"uses", 6}, {"expires", 0}};
    for (const auto& [name, width] : kColumns) std::cout << std::left << std::setw(width) << name;
    std::cout << '\n';
    for (const json::value& one : all) {
        for (const auto& [name, width] : kColumns) {
            std::cout << std::left << std::setw(width) << text_at(one.as_object(), name);
        }
        std::cout << '\n';
    }
}

int add(const Options& options) {
    json::object order;
    if (!options.reference.empty()) order["reference"] = options.reference;
    if (!options.profile.empty()) order["profile"] = options.profile;
    if (!options.expires.empty()) order["expires"] = options.expires;
    order["uses"] = options.uses;
    if (!options.secret_file.empty()) order["secret"] = read_secret_line(options.secret_file);
    const std::string told = SecretAccess{options.config}.add(json::serialize(order));
    if (options.as_json) {
        std::cout << told << '\n';
        return 0;
    }
    const json::object made = json::parse(told).as_object();
    std::cout << "reference  " << text_at(made, "reference") << '\n';
    if (made.at("generated").as_bool()) {
        std::cout << "secret     " << text_at(made, "secret") << '\n' << "It is not shown again.\n";
    }
    return 0;
}

int list(const Options& options) {
    const std::string told = SecretAccess{options.config}.list();
    if (options.as_json) {
        std::cout << told << '\n';
    } else {
        print_list(json::parse(told).as_array());
    }
    return 0;
}

int revoke(const Options& options) {
    const std::string told = SecretAccess{options.config}.revoke(options.reference);
    std::cout << (options.as_json ? told : options.reference + " is revoked") << '\n';
    return 0;
}

}  // namespace

void add_secret(CLI::App& app, Run& run) {
    CLI::App* command = app.add_subcommand(
        "secret",
        "Enrolment secrets of devices: of the running gateway, or of a stopped one's store");
    command->require_subcommand(1);
    auto options = std::make_shared<Options>();
    const auto sub = [&](const char* name, const char* what, int (*act)(const Options&)) {
        CLI::App* made = command->add_subcommand(name, what);
        made->add_option("-c,--config", options->config, "The gateway's configuration file")
            ->required();
        made->add_flag("--json", options->as_json, "As JSON");
        made->callback([&run, options, act] { run = [options, act] { return act(*options); }; });
        return made;
    };
    CLI::App* made = sub("add", "Make one; it is told once", add);
    made->add_option("--reference", options->reference,
                     "What the device sends as senderKID; default: generated");
    made->add_option("--profile", options->profile, "Good for this profile only");
    made->add_option("--uses", options->uses, "Certificates it is good for; 0: any number")
        ->capture_default_str();
    made->add_option("--expires", options->expires, "\"7d\", 2027-01-31 or 2027-01-31T12:00:00Z");
    made->add_option("--secret-file", options->secret_file,
                     "Take this one, the first line of a file or of \"-\" (standard input), "
                     "instead of generating 160 random bits");
    sub("list", "What there is, without the secrets", list);
    CLI::App* gone = sub("revoke", "Forget one, at once", revoke);
    gone->add_option("reference", options->reference)->required();
}

}  // namespace ra::app
