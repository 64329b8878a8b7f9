#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <stdexcept>

#include "ra/app/config/sections.h"

namespace ra::app::config {
namespace {

using admin::Role;

std::uint32_t parse_number(std::string_view text) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty())
        throw std::invalid_argument(in_quotes(text) + " is no number");
    return number;
}

/// "user:NAME", "uid:NUMBER", "group:NAME", "gid:NUMBER".
void grant(admin::LocalRoles& roles, const std::string& text, Role role) {
    const auto colon = text.find(':');
    const std::string kind = text.substr(0, colon);
    const std::string name = colon == std::string::npos ? "" : text.substr(colon + 1);
    if (kind == "uid") return roles.grant_user(parse_number(name), role);
    if (kind == "gid") return roles.grant_group(parse_number(name), role);
    if (kind == "user") {
        const passwd* const user = ::getpwnam(name.c_str());
        if (user == nullptr)
            throw std::invalid_argument("this machine has no user " + in_quotes(name));
        return roles.grant_user(user->pw_uid, role);
    }
    if (kind == "group") {
        const group* const found = ::getgrnam(name.c_str());
        if (found == nullptr)
            throw std::invalid_argument("this machine has no group " + in_quotes(name));
        return roles.grant_group(found->gr_gid, role);
    }
    throw std::invalid_argument(in_quotes(text) +
                                " is nobody; write \"user:NAME\", \"group:NAME\", \"uid:N\" or "
                                "\"gid:N\"");
}

AdminConfig::At read_url(const std::string& text, const std::string& directory) {
    AdminConfig::At at;
    at.text = text;
    if (text.starts_with("unix:")) {
        at.unix_path = (std::filesystem::path(directory) / text.substr(5)).string();
        if (text.size() == 5 || at.unix_path.size() > 107)
            throw std::invalid_argument("unix:PATH wants a path of 1 to 107 octets");
        return at;
    }
    at.http = Url::parse(text);
    if (at.http.scheme != "http" || (!at.http.path.empty() && at.http.path != "/"))
        throw std::invalid_argument(
            "url is \"unix:PATH\", or \"http://127.0.0.1:PORT\" to look only");
    if (at.http.host != "127.0.0.1" && at.http.host != "::1" && at.http.host != "localhost") {
        throw std::invalid_argument(
            in_quotes(at.http.host) +
            " is not this machine alone: nobody is asked who they are over http (S-40). Write "
            "\"unix:PATH\" or http://127.0.0.1:PORT");
    }
    return at;
}

}  // namespace

AdminConfig read_admin(const Node& node, const std::string& directory, Faults& faults) {
    const Table table{node, Section::admin, faults};
    AdminConfig config;
    for (const Located<std::string>& url : table.texts("url")) {
        table.attempt(url.at, [&] {
            AdminConfig::At at = read_url(url.value, directory);
            at.at = url.at;
            if (at.unix_path.empty()) {
                faults.warning(url.at,
                               "every user of this machine may read metrics and health at " +
                                   url.value + "; \"unix:PATH\" asks who they are (S-40)");
            }
            config.urls.push_back(std::move(at));
        });
    }
    for (const Role role : admin::kRoles) {
        for (const Located<std::string>& who : table.texts(to_string(role)))
            table.attempt(who.at, [&] { grant(config.roles, who.value, role); });
        if (table.has(to_string(role)) && !table.has("url")) {
            faults.error(table.at(to_string(role)),
                         "[admin] has no url, as url = \"unix:/run/cmpgate/admin.sock\"");
        }
    }
    config.ready_without_upstream = table.choice<bool>(
        "upstream_down", {{"degraded", true}, {"not_ready", false}}, config.ready_without_upstream);
    return config;
}

}  // namespace ra::app::config
