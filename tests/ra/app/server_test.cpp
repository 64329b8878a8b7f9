#include "ra/app/server.h"

#include <doctest/doctest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "ra/app/config/load.h"
#include "ra/app/demo_files.h"

using namespace ra;
using namespace ra::app;

namespace {

std::set<std::string> names_in(const std::string& text, const std::regex& pattern) {
    std::set<std::string> names;
    for (std::sregex_iterator match{text.begin(), text.end(), pattern}, end; match != end;
         ++match) {
        names.insert((*match)[1]);
    }
    return names;
}

/// The demonstration's gateway, inside this process.
struct Running {
    /// `more`: appended to its configuration.
    using Adjust = void (*)(config::Config&);
    explicit Running(
        const std::string& more = {}, Adjust adjust = [](config::Config&) {})
        : world{directory.path(), 0}, faults{(directory.path() / "cmpgate.toml").string()} {
        config = config::parse_config(world.config + more, faults.file(), faults);
        config.log.level = config::LogConfig::Level::error;
        config.store.kind = config::StoreConfig::Kind::sqlite;  // what it measures, too
        adjust(config);
        auto settings = config::load_settings(config, faults);
        INFO(faults.text());
        REQUIRE(settings != nullptr);
        log = std::make_unique<Log>(config.log);
        server = std::make_unique<Server>(config, settings, *log, &world.lab_ca.ca);
        server->start();
    }

    TemporaryDirectory directory;
    DemoWorld world;
    config::Faults faults;
    config::Config config;
    std::unique_ptr<Log> log;
    std::unique_ptr<Server> server;
};

}  // namespace

TEST_SUITE("ra/app") {
    TEST_CASE("server: starts on a port of its own, says where, and ends") {
        Running running;
        const auto served = running.server->served();
        REQUIRE(served.size() > 1);  // every door there is
        CHECK(served[0].listener == "http");
        CHECK(served[0].port != 0);
        CHECK(served[0].address == "127.0.0.1:" + std::to_string(served[0].port));
        CHECK(served[0].paths == std::vector<std::string>{"/.well-known/cmp"});
        CHECK(running.server->drain(BootClock::now() + std::chrono::seconds{5}));
    }

    TEST_CASE("server: a port that is taken is named, and nothing is left running") {
        Running running;
        config::Config second = running.config;
        second.listeners[0].url.port = running.server->served()[0].port;
        second.store.kind = config::StoreConfig::Kind::memory;  // the store is taken, too
        config::Faults faults{running.faults.file()};
        const auto settings = config::load_settings(second, faults);
        REQUIRE(settings != nullptr);
        try {
            const Server unwelcome{second, settings, *running.log, &running.world.lab_ca.ca};
            FAIL("the port was not taken");
        } catch (const std::runtime_error& fault) {
            const std::string text = fault.what();
            CHECK(text.find(running.server->served()[0].address) != std::string::npos);
        }
        CHECK(running.server->drain(BootClock::now() + std::chrono::seconds{5}));
    }

    TEST_CASE("metrics/README.md lists the names there are") {
        Running running{
            "\n[[listener]]\nname = \"secure\"\nurl = \"https://127.0.0.1:0\"\n"
            "tls = { certificate = \"file:device.pem\", key = \"file:device.key\" }\n"
            "[[listener]]\nurl = \"coap://127.0.0.1:0\"\n"
            "[[listener]]\nurl = \"tcp://127.0.0.1:0\"\n",
            [](config::Config& config) {
                config.upstreams.at(0).quirks.add(gateway::Quirk::pvno_1_error);
                config.credentials.at(0).renew.emplace();
            }};
        CHECK(running.server->served()[1].scheme == "https");
        CHECK(running.server->served().back().scheme == "tcp");
        std::string text;
        // What is renewed is known once the first worker has turned.
        for (int i = 0; i < 500 && text.find("renewal_due") == std::string::npos; ++i) {
            text = metrics::prometheus_text(running.server->snapshot());
            std::this_thread::sleep_for(std::chrono::milliseconds{10});
        }
        std::ifstream file{CMPGATE_SOURCE_DIR "/metrics/README.md"};
        std::ostringstream readme;
        readme << file.rdbuf();
        const auto documented =
            names_in(readme.str(), std::regex{"`((?:cmpgate|process)_[a-z_]+)`"});
        const auto rendered = names_in(text, std::regex{"# TYPE ([a-z_]+) "});
        CHECK(documented.size() > 15);
        for (const std::string& name : documented) {
            if (name.starts_with("cmpgate_audit_")) continue;         // where there is a trail
            if (name.starts_with("cmpgate_secrets_next_")) continue;  // where one ends
            CAPTURE(name);
            CHECK(rendered.contains(name));
        }
        for (const std::string& name : rendered) {
            CAPTURE(name);
            CHECK(documented.contains(name));
        }
        CHECK(running.server->drain(BootClock::now() + std::chrono::seconds{5}));
    }

    TEST_CASE("demo: what it writes is private, and gone with it") {
        std::filesystem::path path;
        {
            const TemporaryDirectory directory;
            path = directory.path();
            const DemoWorld world{path, 0};
            for (const auto& entry : std::filesystem::directory_iterator(path)) {
                CAPTURE(entry.path().string());
                const auto others =
                    std::filesystem::perms::group_all | std::filesystem::perms::others_all;
                CHECK((entry.status().permissions() & others) == std::filesystem::perms::none);
            }
            CHECK(std::filesystem::exists(path / "device.key"));
        }
        CHECK_FALSE(std::filesystem::exists(path));
    }
}
