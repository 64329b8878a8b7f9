#include <doctest/doctest.h>

#include <algorithm>

#include "ra/app/config/reload.h"

using namespace ra;
using namespace ra::app::config;

namespace {

constexpr std::string_view kBase =
    "version = 1\n"
    "[[listener]]\n"
    "name = \"a\"\n"
    "url = \"http://127.0.0.1:8080\"\n"
    "[[listener]]\n"
    "name = \"b\"\n"
    "url = \"http://127.0.0.1:8081\"\n"
    "[[upstream]]\n"
    "url = \"http://ca.example/cmp\"\n"
    "[[profile]]\n"
    "match = { listener = [\"b\"] }\n"
    "origin = \"opaque\"\n";

std::string base(std::string_view more = {}, std::string_view from = {}, std::string_view to = {}) {
    std::string text{kBase};
    if (!from.empty()) text.replace(text.find(from), from.size(), to);
    return text + std::string(more);
}

Config parse(const std::string& text) {
    Faults faults{"test.toml"};
    Config config = parse_config(text, "test.toml", faults);
    INFO(faults.text());
    REQUIRE_FALSE(faults.has_errors());
    return config;
}

struct Row {
    const char* name;
    std::string text;
    Place at;
    const char* says;
};

void check_one(const Row& row, const Faults& faults) {
    INFO(faults.text());
    const auto all = faults.sorted();
    CHECK(std::any_of(all.begin(), all.end(), [&row](const Fault& fault) {
        return fault.kind == Fault::Kind::error && fault.at == row.at &&
               fault.text.find(row.says) != std::string::npos;
    }));
    CHECK(faults.errors() == 1);
}

}  // namespace

TEST_SUITE("ra/app") {
    TEST_CASE("config: [admin] and [audit], each fault alone and at its place") {
        const Row rows[] = {
            {"misspelt", base("[admin]\nurls = \"unix:s\"\n"), {14, 1}, "did you mean \"url\"?"},
            {"on the network (S-40)",
             base("[admin]\nurl = \"http://0.0.0.0:9464\"\n"),
             {14, 7},
             "is not this machine alone"},
            {"no scheme of ours",
             base("[admin]\nurl = \"https://127.0.0.1:1\"\n"),
             {14, 7},
             "unix:PATH"},
            {"no path", base("[admin]\nurl = \"unix:\"\n"), {14, 7}, "unix:PATH"},
            {"too long a path",
             base("[admin]\nurl = \"unix:" + std::string(120, 'x') + "\"\n"),
             {14, 7},
             "1 to 107"},
            {"roles without a place", base("[admin]\nview = \"uid:5\"\n"), {14, 8}, "no url"},
            {"nobody of that name",
             base("[admin]\nurl = \"unix:s\"\nview = [\"user:root\", \"user:nobody-there\"]\n"),
             {15, 22},
             "no user \"nobody-there\""},
            {"no kind of somebody",
             base("[admin]\nurl = \"unix:s\"\nconfig = \"root\"\n"),
             {15, 10},
             "\"user:NAME\""},
            {"no number",
             base("[admin]\nurl = \"unix:s\"\nconfig = \"gid:-1\"\n"),
             {15, 10},
             "no number"},
            {"no such choice",
             base("[admin]\nurl = \"unix:s\"\nupstream_down = \"degradet\"\n"),
             {15, 17},
             "did you mean \"degraded\"?"},
            {"audit without key (S-42)", base("[audit]\nto = \"file:a.log\"\n"), {13, 1}, "no key"},
            {"audit to nowhere",
             base("[audit]\nkey = \"file:k\"\n"),
             {13, 1},
             "does not say where"},
            {"audit to a place that cannot be synced",
             base("[audit]\nto = \"stderr\"\nkey = \"file:k\"\n"),
             {14, 6},
             "\"file:PATH\""},
            {"audit by a credential that is not there",
             base("[audit]\nto = \"file:a\"\nkey = \"file:k\"\ncredential = \"ra\"\n"),
             {16, 14},
             "no [[credential]] named \"ra\""},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Faults faults{"test.toml"};
            (void)parse_config(row.text, "test.toml", faults);
            check_one(row, faults);
        }
    }

    TEST_CASE("config: [admin] over http is warned of, who may do what is known") {
        Faults faults{"test.toml"};
        const Config config = parse_config(base("[admin]\nurl = [\"unix:/run/x.sock\", "
                                                "\"http://localhost:9464\"]\nview = \"uid:7\"\n"
                                                "secrets = [\"gid:8\"]\n"),
                                           "/etc/x/test.toml", faults);
        CHECK_FALSE(faults.has_errors());
        CHECK(faults.text().find(":14:") != std::string::npos);
        CHECK(faults.text().find("S-40") != std::string::npos);
        REQUIRE(config.admin.urls.size() == 2);
        CHECK(config.admin.urls[0].unix_path == "/run/x.sock");
        CHECK(config.admin.roles.of(7, {}) == admin::Roles{admin::Role::view});
        CHECK(config.admin.roles.of(9, {8}) == admin::Roles{admin::Role::secrets});
        CHECK(parse(base("[admin]\nurl = \"unix:s\"\n")).admin.urls[0].unix_path == "s");
    }

    TEST_CASE("reload: what needs a restart is refused where it stands") {
        const Config now = parse(base());
        const Row rows[] = {
            {"workers", "workers = 3\n" + base(), {1, 11}, "workers"},
            {"store", base("[store]\nopen = 7\n"), {13, 1}, "[store]"},
            {"audit", base("[audit]\nto = \"file:a\"\nkey = \"file:k\"\n"), {13, 1}, "[audit]"},
            {"where operators come", base("[admin]\nurl = \"unix:s\"\n"), {14, 7}, "admin.url"},
            {"a lab CA",
             base("[[upstream]]\nname = \"lab\"\nurl = \"labca:\"\n", "[[listener]]",
                  "allow_lab_ca = true\n[[listener]]"),
             {16, 7},
             "lab CA"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Faults faults{"test.toml"};
            std::string text = row.text;
            if (row.name == std::string{"a lab CA"})
                text.replace(text.find("origin ="), 8, "upstream = \"lab\"\norigin =");
            Faults ignored{"test.toml"};
            judge_reload(now, parse_config(text, "test.toml", ignored), faults);
            INFO(ignored.text());
            CHECK(faults.errors() == 1);
            CHECK(faults.text().find(row.says) != std::string::npos);
            CHECK(faults.text().find("restart") != std::string::npos);
            if (row.name != std::string{"a lab CA"}) CHECK(faults.sorted().at(0).at == row.at);
        }
        Faults none{"test.toml"};
        judge_reload(now, parse(base("[log]\nlevel = \"error\"\n", "8081", "8082")), none);
        CHECK(none.text() == "");
    }

    TEST_CASE("reload: listeners keep their ids, whatever stands before them") {
        std::vector<std::string> known;
        Faults faults{"test.toml"};
        Config config = parse(base());
        number_listeners(config, known, faults);
        CHECK(known == std::vector<std::string>{"a", "b"});
        CHECK(config.profiles[0].profile.match.listeners == std::vector{ListenerId{1}});

        // "a" is gone, "c" is new and first: "b" is what it was.
        config = parse(base("", "name = \"a\"", "name = \"c\""));
        number_listeners(config, known, faults);
        CHECK(known == std::vector<std::string>{"a", "b", "c"});
        CHECK(config.listeners[0].id == ListenerId{2});
        CHECK(config.listeners[1].id == ListenerId{1});
        CHECK(config.profiles[0].profile.match.listeners == std::vector{ListenerId{1}});
        CHECK_FALSE(faults.has_errors());

        // No number of reloads makes counters without end.
        for (int i = 0; i < 100 && !faults.has_errors(); ++i) {
            config = parse(base("", "name = \"a\"", "name = \"n" + std::to_string(i) + "\""));
            number_listeners(config, known, faults);
        }
        CHECK(faults.has_errors());
        CHECK(faults.sorted()[0].at.line == 4);
    }

    TEST_CASE("reload: what is the same socket, and the same way to a CA") {
        const Config a = parse(base());
        CHECK(same_socket(a.listeners[0], a.listeners[0]));
        CHECK_FALSE(same_socket(a.listeners[0], a.listeners[1]));
        const Config renamed = parse(base("", "name = \"a\"", "name = \"z\""));
        CHECK(same_socket(a.listeners[0], renamed.listeners[0]));
        const Config any = parse(base("", "8080", "0"));
        const Config any_renamed = parse(base("", "name = \"a\"\nurl = \"http://127.0.0.1:8080\"",
                                              "name = \"z\"\nurl = \"http://127.0.0.1:0\""));
        CHECK(same_socket(any.listeners[0], any.listeners[0]));
        CHECK_FALSE(same_socket(any.listeners[0], any_renamed.listeners[0]));

        CHECK(same_client(a.upstreams[0], renamed.upstreams[0]));
        for (const char* change : {"max_connections = 1\n", "connect_timeout = \"1s\"\n",
                                   "resend = \"identical\"\n", "append_labels = true\n"}) {
            const Config changed =
                parse(base("", "[[profile]]", std::string(change) + "[[profile]]"));
            CHECK_FALSE(same_client(a.upstreams[0], changed.upstreams[0]));
        }
        // Who may answer is no matter of connections.
        const Config trusted =
            parse(base("", "[[profile]]", "max_check_after = \"1h\"\n[[profile]]"));
        CHECK(same_client(a.upstreams[0], trusted.upstreams[0]));
    }
}
