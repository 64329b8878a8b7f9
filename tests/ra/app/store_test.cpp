#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "ra/app/demo_files.h"
#include "ra/app/store_host.h"

using namespace ra;
using namespace ra::app;

namespace {

/// A directory with a configuration of which only `[store]` matters.
struct Place {
    TemporaryDirectory directory;
    SystemClock clock;
    SystemRandom random;
    config::LogConfig log_settings{.level = config::LogConfig::Level::error,
                                   .to = (directory.path() / "log").string()};
    Log log{log_settings};

    config::Config config(const std::string& store) {
        const std::string file = (directory.path() / "cmpgate.toml").string();
        config::Faults faults{file};
        auto read = config::parse_config(
            "version = 1\n[store]\n" + store +
                "\n[[listener]]\nurl = \"http://127.0.0.1:0\"\n[[upstream]]\nurl = "
                "\"http://127.0.0.1:9/\"\n[[profile]]\norigin = \"opaque\"\n",
            file, faults);
        INFO(faults.text());
        REQUIRE_FALSE(faults.has_errors());
        return read;
    }
    std::string check(const config::Config& read) {
        config::Faults faults{read.file};
        check_store(read, faults);
        return faults.has_errors() ? faults.text() : "";
    }
    [[nodiscard]] std::string file(const std::string& name) const {
        return (directory.path() / name).string();
    }
    void write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
        std::ofstream{file(name)} << text;
        REQUIRE(::chmod(file(name).c_str(), mode) == 0);
    }
};

mode_t mode_of(const std::string& path) {
    struct stat facts{};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    return facts.st_mode & 0777U;
}

const std::string kKey(64, '7');

TEST_SUITE("ra/app") {
    TEST_CASE("StoreHost: the first start makes store and key, for their owner alone") {
        Place place;
        const config::Config config = place.config("");
        CHECK(config.store.kind == config::StoreConfig::Kind::sqlite);
        CHECK(place.check(config) == "");
        CHECK_FALSE(std::filesystem::exists(place.file("cmpgate.db")));  // check makes nothing
        {
            StoreHost host{config, place.clock, place.random, place.log};
        }
        CHECK(mode_of(place.file("cmpgate.db")) == 0600);
        CHECK(mode_of(place.file("cmpgate.db.key")) == 0600);
        CHECK(mode_of(place.file("cmpgate.db.guard")) == 0600);
        CHECK(place.check(config) == "");
        // And the next finds them.
        const StoreHost host{config, place.clock, place.random, place.log};
        CHECK(host.figures()->writable);
        CHECK_FALSE(host.figures()->fenced);
    }

    TEST_CASE("StoreHost: memory writes nothing") {
        Place place;
        StoreHost host{place.config("kind = \"memory\""), place.clock, place.random, place.log};
        CHECK_FALSE(host.figures().has_value());
        CHECK_FALSE(std::filesystem::exists(place.file("cmpgate.db")));
    }

    TEST_CASE("store_path: where it is said, where systemd says, beside the configuration") {
        Place place;
        CHECK(store_path(place.config("path = \"x/y.db\"")) == place.file("x/y.db"));
        CHECK(store_path(place.config("path = \"/var/y.db\"")) == "/var/y.db");
        CHECK(store_path(place.config("")) == place.file("cmpgate.db"));
        ::setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two", 1);
        CHECK(store_path(place.config("")) == "/var/lib/one/cmpgate.db");
        ::unsetenv("STATE_DIRECTORY");
    }

    TEST_CASE("S-24: check refuses keys and files of the store that others may open") {
        Place place;
        const config::Config config = place.config("key = \"file:k\"");
        place.write("k", kKey + "\n", 0640);
        CHECK(place.check(config).find("chmod 0600 it (S-24)") != std::string::npos);
        ::chmod(place.file("k").c_str(), 0600);
        CHECK(place.check(config) == "");
        for (const char* name : {"cmpgate.db", "cmpgate.db-wal", "cmpgate.db.guard"}) {
            CAPTURE(name);
            place.write(name, "", 0604);
            CHECK(place.check(config).find("chmod 0600 it (S-24)") != std::string::npos);
            std::filesystem::remove(place.file(name));
        }
    }

    TEST_CASE("load_store_key: 64 digits from a file, the environment or a credential") {
        Place place;
        struct Row {
            const char* name;
            std::string text;
            bool good;
        };
        const Row rows[] = {{"as made", kKey + "\n", true},
                            {"no line break", kKey, true},
                            {"capitals", std::string(64, 'A'), true},
                            {"empty", "", false},
                            {"one digit short", kKey.substr(1), false},
                            {"one too many", kKey + "7", false},
                            {"no digit", kKey.substr(1) + "g", false},
                            {"octets", std::string(32, '\x01'), false}};
        for (const Row& row : rows) {
            CAPTURE(row.name);
            place.write("k", row.text);
            const config::Config config = place.config("key = \"file:k\"");
            CHECK(place.check(config).empty() == row.good);
            if (row.good) CHECK(load_store_key(config).reveal().size() == 32);
        }
        ::setenv("CMPGATE_TEST_STORE_KEY", kKey.c_str(), 1);
        CHECK(place.check(place.config("key = \"env:CMPGATE_TEST_STORE_KEY\"")) == "");
        ::unsetenv("CMPGATE_TEST_STORE_KEY");
        CHECK(place.check(place.config("key = \"env:CMPGATE_TEST_STORE_KEY\"")) != "");
        place.write("store-key", kKey);
        ::setenv("CREDENTIALS_DIRECTORY", place.directory.path().c_str(), 1);
        CHECK(place.check(place.config("key = \"credential:store-key\"")) == "");
        ::unsetenv("CREDENTIALS_DIRECTORY");
    }

    TEST_CASE("StoreHost: a store without its key is not given a new one") {
        Place place;
        const config::Config config = place.config("");
        {
            StoreHost host{config, place.clock, place.random, place.log};
        }
        std::filesystem::remove(place.file("cmpgate.db.key"));
        CHECK(place.check(config).find("is missing") != std::string::npos);
        CHECK_THROWS_WITH_AS((StoreHost{config, place.clock, place.random, place.log}),
                             doctest::Contains("is missing"), std::runtime_error);
        CHECK_FALSE(std::filesystem::exists(place.file("cmpgate.db.key")));
        place.write("cmpgate.db.key", kKey);
        CHECK_THROWS_WITH_AS((StoreHost{config, place.clock, place.random, place.log}),
                             doctest::Contains("does not open it"), std::runtime_error);
    }

    TEST_CASE("check: a directory that cannot be written in") {
        Place place;
        const auto said = place.check(place.config("path = \"/proc/cmpgate/x.db\""));
        CHECK(said.find("cannot write in /proc/cmpgate") != std::string::npos);
    }
}

}  // namespace
