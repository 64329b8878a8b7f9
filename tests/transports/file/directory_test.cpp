#include "transports/file/directory.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "tests/transports/file/spool.h"
#include "transports/file/client.h"

using namespace fixture;
using namespace transports::file;
namespace fs = std::filesystem;

namespace {

std::string refusal_of(const fs::path& path) {
    try {
        const Spool spool{path.string()};
        return {};
    } catch (const std::runtime_error& fault) {
        return fault.what();
    }
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("transports/file") {
    TEST_CASE("S-46: a spool that others could change is not used") {
        SpoolFolder folder;
        CHECK(refusal_of(folder.path()).empty());
        CHECK(has(refusal_of(folder.path() / "none"), "no such directory"));
        SpoolFolder::write(folder.path() / "file", "x");
        CHECK(has(refusal_of(folder.path() / "file"), "no directory"));
        fs::create_directory_symlink(folder.path(), folder.path() / "link");
        CHECK(has(refusal_of(folder.path() / "link"), "symbolic link"));

        struct Row {
            const char* directory;
            mode_t mode;
            const char* says;  // null: it is used
        };
        const Row rows[] = {
            {".", 0770, "go-w"},        {".", 0707, "go-w"},       {".", 0755, nullptr},
            {"in", 0770, nullptr},      {"in", 0707, "everybody"}, {"out", 0770, nullptr},
            {"out", 0702, "everybody"}, {"failed", 0770, "go-w"},  {"work", 0770, "go-w"},
            {"work", 0755, nullptr},
        };
        for (const Row& row : rows) {
            CAPTURE(row.directory);
            CAPTURE(row.mode);
            const std::string path = (folder.path() / row.directory).string();
            REQUIRE(::chmod(path.c_str(), row.mode) == 0);
            const std::string why = refusal_of(folder.path());
            CHECK((row.says == nullptr ? why.empty() : has(why, row.says)));
            REQUIRE(::chmod(path.c_str(), 0700) == 0);
        }
        for (const char* name : {"in", "out", "failed", "work"}) {
            CAPTURE(name);
            fs::rename(folder.path() / name, folder.path() / "aside");
            fs::create_directory_symlink(folder.path() / "aside", folder.path() / name);
            CHECK(has(refusal_of(folder.path()), "symbolic link"));
            fs::remove(folder.path() / name);
            fs::rename(folder.path() / "aside", folder.path() / name);
        }
        if (::geteuid() == 0) {
            REQUIRE(::chown(folder.path().c_str(), 12345, 12345) == 0);
            CHECK(has(refusal_of(folder.path()), "another user"));
        }
    }

    TEST_CASE("S-46: what is read is a file of its own, by somebody who may write there") {
        SpoolFolder folder;
        const Spool spool{folder.path().string()};
        const auto read = [&](const char* name) { return spool.in.read(name, 100); };
        using Kind = Found::Kind;

        CHECK(read("none.pki").kind == Kind::none);
        folder.drop("good.pki", der("abc"));
        const Found good = read("good.pki");
        CHECK(good.kind == Kind::octets);
        CHECK(ra::as_text(good.octets) == der("abc"));

        folder.drop("half.pki", der("abc").substr(0, 3));
        CHECK(read("half.pki").kind == Kind::unfinished);
        folder.drop("more.pki", der("abc") + "d");
        CHECK(read("more.pki").why == "octets behind the message");
        folder.drop("text.pki", "-----BEGIN");
        CHECK(read("text.pki").why == "no DER");
        folder.drop("large.pki", std::string(101, 'x'));
        CHECK(read("large.pki").why == "too large");

        SpoolFolder::write(folder.path() / "secret", der("abc"));
        fs::create_symlink(folder.path() / "secret", folder.in("link.pki"));
        CHECK(read("link.pki").why == "a symbolic link");
        fs::create_hard_link(folder.path() / "secret", folder.in("second.pki"));
        CHECK(read("second.pki").why == "a file with several names");
        fs::create_directory(folder.in("folder.pki"));
        CHECK(read("folder.pki").why == "not a regular file");
        REQUIRE(::mkfifo(folder.in("pipe.pki").c_str(), 0600) == 0);
        CHECK(read("pipe.pki").why == "not a regular file");
        REQUIRE(::chmod(folder.in("good.pki").c_str(), 0606) == 0);
        CHECK(read("good.pki").why == "everybody may write to it");
        if (::geteuid() == 0) {
            folder.drop("other.pki", der("abc"));
            REQUIRE(::chown(folder.in("other.pki").c_str(), 12345, 12345) == 0);
            CHECK(read("other.pki").why == "its owner may not write to this directory");
            REQUIRE(::chown((folder.path() / "in").c_str(), 12345, 12345) == 0);
            CHECK(Spool{folder.path().string()}.in.read("other.pki", 100).kind == Kind::octets);
        }
    }

    TEST_CASE("Spool: nothing is overwritten") {
        SpoolFolder folder;
        const Spool spool{folder.path().string()};
        const auto text = [](std::string_view octets) { return ra::as_bytes(octets); };
        CHECK(spool.work.publish(text("one"), spool.out, "a.pki") == Made::done);
        CHECK(spool.work.publish(text("two"), spool.out, "a.pki") == Made::exists);
        CHECK(SpoolFolder::read(folder.out("a.pki")) == "one");
        CHECK(folder.count("work") == 0);

        for (const char* content : {"first", "second", "third"}) {
            folder.drop("b.pki", content);
            CHECK(spool.fail(spool.in, "b.pki", std::string("not ") + content));
        }
        CHECK(SpoolFolder::read(folder.failed("b.pki")) == "first");
        CHECK(SpoolFolder::read(folder.failed("b.1.pki")) == "second");
        CHECK(SpoolFolder::read(folder.failed("b.2.pki")) == "third");
        CHECK(SpoolFolder::read(folder.failed("b.1.why")) == "not second\n");
        CHECK(folder.count("in") == 0);
    }

    TEST_CASE("Spool: what fails is bounded") {
        SpoolFolder folder;
        const Spool spool{folder.path().string()};
        for (std::size_t i = 0; i < Spool::kMostFailed; ++i)
            SpoolFolder::write(folder.failed(std::to_string(i)), "");
        folder.drop("a.pki", "x");
        CHECK_FALSE(spool.fail(spool.in, "a.pki", "no room"));
        CHECK(SpoolFolder::read(folder.in("a.pki")) == "x");
    }

    TEST_CASE("SpoolClient: a request goes, an answer comes, both under one name") {
        SpoolFolder folder;
        SpoolClient client{folder.path().string(), 100};
        CHECK(client.put("t", ra::as_bytes("request")) == Made::done);
        CHECK(client.put("t", ra::as_bytes("another")) == Made::exists);
        CHECK(SpoolFolder::read(folder.out("t.pki")) == "request");
        CHECK(client.is_waiting("t"));
        CHECK(client.collect("t").kind == Found::Kind::none);
        fs::remove(folder.out("t.pki"));  // carried away
        CHECK_FALSE(client.is_waiting("t"));

        folder.drop("t.pki", der("answer").substr(0, 4));
        CHECK(client.collect("t").kind == Found::Kind::unfinished);
        folder.drop("t.pki", der("answer"));
        CHECK(client.put("t", ra::as_bytes("request")) == Made::exists);
        // Asked for again it is still there: whoever asks may crash.
        for (int i = 0; i < 2; ++i) CHECK(client.collect("t").kind == Found::Kind::octets);
        client.forget("t");
        CHECK(client.collect("t").kind == Found::Kind::none);

        folder.drop("t.pki", "junk");
        CHECK(client.collect("t").why == "no DER");
        CHECK(SpoolFolder::read(folder.failed("t.why")) == "no DER\n");
        CHECK(client.collect("t").kind == Found::Kind::none);
        folder.drop("t.pki", der("of another"));
        client.refuse("t", "not its answer");
        CHECK(SpoolFolder::read(folder.failed("t.1.why")) == "not its answer\n");
    }

    TEST_CASE("Spool: two cannot serve one") {
        SpoolFolder folder;
        const Spool first{folder.path().string()};
        first.claim();
        const Spool second{folder.path().string()};
        CHECK_THROWS_WITH_AS(
            second.claim(),
            (folder.path().string() + ": another process serves this spool").c_str(),
            std::runtime_error);
    }
}
