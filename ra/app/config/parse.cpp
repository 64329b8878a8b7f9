#include <filesystem>
#include <fstream>
#include <sstream>

#include "ra/app/config/sections.h"

namespace ra::app::config {
namespace {

using std::chrono::seconds;

constexpr seconds kDay{86'400};

StoreConfig read_store(const Node& node, Faults& faults) {
    const Table table{node, Section::store, faults};
    StoreConfig store;
    using Kind = StoreConfig::Kind;
    store.kind = table.choice<Kind>("kind", {{"sqlite", Kind::sqlite}, {"memory", Kind::memory}},
                                    store.kind);
    store.path.at = table.at("path");
    if (auto path = table.text("path")) {
        if (path->value.empty()) faults.error(path->at, "path is the name of a file");
        store.path = std::move(*path);
    }
    store.key = table.source("key");
    if (store.kind == Kind::memory) {
        for (const std::string_view key : {"path", "key"}) {
            if (table.has(key))
                faults.error(table.at(key), std::string(key) + " belongs to kind = \"sqlite\"");
        }
    }
    const auto count = [&](std::string_view key, std::size_t otherwise) {
        return static_cast<std::size_t>(
            table.integer(key, 1, 1LL << 32U, static_cast<std::int64_t>(otherwise)));
    };
    store.open = count("open", store.open);
    store.open_per_principal = count("open_per_principal", store.open_per_principal);
    store.remembered = count("remembered", store.remembered);
    store.remembered_per_principal =
        count("remembered_per_principal", store.remembered_per_principal);
    store.open_octets = table.octets("open_octets", 1UL << 20U, 1UL << 40U, store.open_octets);
    store.kept_octets = table.octets("kept_octets", 0, 1UL << 40U, store.kept_octets);
    if (table.has("opaque_percent")) {
        store.opaque_percent = static_cast<unsigned>(table.integer("opaque_percent", 1, 100, 50));
    }
    store.certified_keys = count("certified_keys", store.certified_keys);
    store.revoked = count("revoked", store.revoked);
    return store;
}

LimitsConfig read_limits(const Node& node, Faults& faults) {
    const Table table{node, Section::limits, faults};
    LimitsConfig limits;
    const auto count = [&](std::string_view key, auto& value, std::int64_t least,
                           std::int64_t most) {
        value = static_cast<std::remove_reference_t<decltype(value)>>(
            table.integer(key, least, most, static_cast<std::int64_t>(value)));
    };
    cmp::Limits& message = limits.message;
    message.message_octets =
        table.octets("message", 1024, (1UL << 24U) - 1, message.message_octets);
    count("depth", message.depth, 8, 64);
    count("extra_certs", message.extra_certs, 1, 256);
    count("nested_messages", message.nested_messages, 1, 10'000);
    count("nesting_depth", message.nesting_depth, 1, 8);
    count("cert_req_msgs", message.cert_req_msgs, 1, 1000);
    count("general_info", message.general_info, 1, 1000);
    count("id_min", message.id_min, 1, 64);
    count("id_max", message.id_max, 16, 1024);
    count("kid", message.kid_max, 20, 4096);
    count("template_extensions", message.template_extensions, 1, 1000);
    count("mac_iterations", limits.mac.most_iterations, 100, 10'000'000);
    count("mac_iterations_min", limits.mac.least_iterations, 1, 10'000'000);
    count("exchanges", limits.exchanges, 1, 1'000'000);
    count("signed_refusals", limits.signed_refusals, 0, 1'000'000);
    limits.open_time = table.duration("open_time", seconds{10}, kDay, limits.open_time);
    limits.poll_time = table.duration("poll_time", seconds{60}, kDay * 366, limits.poll_time);
    limits.replay_horizon =
        table.duration("replay_horizon", seconds{60}, kDay * 366, limits.replay_horizon);
    if (limits.mac.least_iterations > limits.mac.most_iterations) {
        faults.error(table.at("mac_iterations_min"),
                     "mac_iterations_min is more than mac_iterations");
    }
    if (message.id_min > message.id_max) {
        faults.error(table.at("id_min"), "id_min is more than id_max");
    }
    return limits;
}

LogConfig read_log(const Node& node, Faults& faults) {
    using Level = LogConfig::Level;
    const Table table{node, Section::log, faults};
    LogConfig log;
    log.level = table.choice<Level>("level",
                                    {{"debug", Level::debug},
                                     {"info", Level::info},
                                     {"warning", Level::warning},
                                     {"error", Level::error}},
                                    log.level);
    log.format = table.choice<LogConfig::Format>(
        "format", {{"text", LogConfig::Format::text}, {"json", LogConfig::Format::json}},
        log.format);
    if (const auto to = table.text("to")) {
        log.to = to->value;
        const bool stream = log.to == "stderr" || log.to == "stdout";
        if (!stream && !log.to.starts_with("file:")) {
            faults.error(to->at, "to is \"stderr\", \"stdout\" or \"file:PATH\"");
        }
    }
    return log;
}

/// Names are how parts refer to each other.
template <class Part>
void check_names(const std::vector<Part>& parts, std::string_view what, Faults& faults) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (parts[i].name == parts[j].name) {
                faults.error(parts[i].at, "a second " + std::string(what) + " is named " +
                                              in_quotes(parts[i].name) + " (the first: line " +
                                              std::to_string(parts[j].at.line) + ")");
                break;
            }
        }
    }
}

/// Whether this file is of a version we know; nothing else is worth reading otherwise.
bool known_version(const Table& root) {
    const Node* version = root.get("version");
    if (version == nullptr) {
        root.faults().error({1, 1}, "the first line is missing: version = 1");
        return true;
    }
    if (version->kind != Node::Kind::integer) {
        root.faults().error(version->at, "version is a number: version = 1");
        return true;
    }
    if (version->integer == 1) return true;
    root.faults().error(version->at, "version " + std::to_string(version->integer) +
                                         " is not known to this cmpgate, which reads version 1");
    return false;
}

/// nullopt: of a version that is not ours to read.
std::optional<Config> read_root(const Node& document, const std::string& file, Faults& faults) {
    Config config;
    config.file = file;
    config.directory = std::filesystem::path(file).parent_path().string();
    const Node empty{.kind = Node::Kind::table, .at = {}, .text = {}, .items = {}, .entries = {}};
    const Table root{document, Section::root, faults};
    if (!known_version(root)) return std::nullopt;

    config.workers = static_cast<unsigned>(root.integer("workers", 0, 1024, 0));
    config.workers_at = root.at("workers");
    config.reload_grace =
        root.duration("reload_grace", seconds{0}, kDay * 366, config.reload_grace);
    config.drain_timeout =
        root.duration("drain_timeout", seconds{0}, seconds{3600}, config.drain_timeout);
    config.allow_lab_ca = root.boolean("allow_lab_ca", false);
    if (auto name = root.text("reply_credential")) config.reply_credential = std::move(*name);
    if (auto hop = root.text("hop")) config.hop = hop->value;
    if (config.hop.empty() || config.hop.size() > 64) {
        faults.error(root.at("hop"),
                     "hop is a name of 1 to 64 octets: it stands in every statusString");
    }

    for (const Node* node : root.tables("listener")) {
        config.listeners.push_back(read_listener(*node, config.listeners.size(), faults));
    }
    for (const Node* node : root.tables("upstream")) {
        config.upstreams.push_back(read_upstream(*node, config.upstreams.size(), faults));
    }
    for (const Node* node : root.tables("credential")) {
        config.credentials.push_back(read_credential(*node, config.credentials.size(), faults));
    }
    for (const Node* node : root.tables("secret"))
        config.secrets.push_back(read_secret(*node, faults));
    for (const Node* node : root.tables("profile")) {
        config.profiles.push_back(
            read_profile(*node, config.profiles.size(), config.listeners, faults));
    }
    const auto section = [&](std::string_view key) -> const Node& {
        const Node* node = root.get(key);
        return node != nullptr ? *node : empty;
    };
    config.store = read_store(section("store"), faults);
    config.store_at = root.at("store");
    config.limits = read_limits(section("limits"), faults);
    config.log = read_log(section("log"), faults);
    config.audit = read_audit(section("audit"), config.directory, faults);
    config.admin = read_admin(section("admin"), config.directory, faults);

    check_names(config.listeners, "listener", faults);
    check_names(config.upstreams, "upstream", faults);
    check_names(config.credentials, "credential", faults);
    return config;
}

}  // namespace

Config parse_config(const std::string& text, const std::string& file, Faults& faults) {
    std::optional<Config> read;
    try {
        read = read_root(parse_toml(text, file), file, faults);
    } catch (const SyntaxError& fault) {
        faults.error(fault.at(), std::string("syntax: ") + fault.what());
    }
    if (!read) return {};
    Config config = std::move(*read);
    judge(config, faults);
    return config;
}

Config read_config(const std::string& path, Faults& faults) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) {
        faults.error({}, "is a directory");
        return {};
    }
    std::ifstream file{path, std::ios::binary};
    std::ostringstream text;
    if (!file || !(text << file.rdbuf())) {
        faults.error(
            {}, file ? "is empty" : "cannot be read: " + std::generic_category().message(errno));
        return {};
    }
    return parse_config(text.str(), path, faults);
}

}  // namespace ra::app::config
