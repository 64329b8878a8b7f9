#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "ra/app/config/credential.h"
#include "ra/app/config/credential_files.h"
#include "ra/app/demo_files.h"
#include "ra/app/renewer.h"
#include "ra/crypto/files.h"

using namespace ra;
using namespace ra::app;
using namespace ra::app::config;
using std::chrono::seconds;

namespace {

std::string text_of(const std::filesystem::path& path) {
    std::ifstream file{path};
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

unsigned mode_of(const std::filesystem::path& path) {
    struct stat facts{};
    REQUIRE(::lstat(path.c_str(), &facts) == 0);
    return facts.st_mode & 0777U;
}

/// A credential in files, and its successor.
class World {
public:
    explicit World(bool with_passphrase = false) {
        old = ca_.ca.issue_device_certificate("CN=ra,O=Example");
        next = ca_.ca.issue_device_certificate("CN=ra,O=Example");
        write("ra.pem", pem(*old), 0644);
        write("ra.key", old->key->pem(), 0600);
        config.name = "ra";
        config.certificate.value = Source::parse("file:ra.pem");
        config.key.value = Source::parse_key("file:ra.key");
        config.renew.emplace();
        if (!with_passphrase) return;
        write("pass", "a word nobody guesses\n", 0600);
        config.passphrase = Located<Source>{Source::parse("file:pass"), {}};
    }
    static std::string pem(const crypto::Credential& one) {
        return crypto::pem_text("CERTIFICATE", one.certificate->der());
    }
    void write(const std::string& name, const std::string& text, mode_t mode) const {
        std::ofstream{path(name)} << text;
        REQUIRE(::chmod(path(name).c_str(), mode) == 0);
    }
    [[nodiscard]] std::filesystem::path path(const std::string& name) const {
        return directory_.path() / name;
    }
    [[nodiscard]] bool there(const std::string& name) const {
        return std::filesystem::exists(path(name));
    }
    [[nodiscard]] CredentialFiles files() const { return {config, directory_.path().string()}; }
    [[nodiscard]] crypto::Sha256 opened() const {
        return open_credential(config, directory_.path().string())->certificate->digest();
    }
    [[nodiscard]] crypto::CredentialPtr superseded() const {
        return open_superseded(config, directory_.path().string());
    }

    CredentialConfig config;
    crypto::CredentialPtr old, next;

private:
    LabCaHost ca_{labca::Settings{}};
    TemporaryDirectory directory_;
};

}  // namespace

TEST_SUITE("ra/app") {
    TEST_CASE("renewal: files are replaced, and the old ones stay beside them") {
        const World world;
        CHECK(world.superseded() == nullptr);
        world.files().keep(*world.next);
        CHECK(world.opened() == world.old->certificate->digest());  // not yet
        CHECK(mode_of(world.path("ra.key.new")) == 0600U);
        world.files().install();
        CHECK(world.opened() == world.next->certificate->digest());
        CHECK(mode_of(world.path("ra.key")) == 0600U);
        CHECK(mode_of(world.path("ra.pem")) == 0644U);  // as it was
        CHECK_FALSE(world.there("ra.key.new"));
        CHECK_FALSE(world.there("ra.pem.new"));
        CHECK(text_of(world.path("ra.pem.old")) == World::pem(*world.old));
        CHECK(text_of(world.path("ra.key.old")) == world.old->key->pem());
        CHECK(mode_of(world.path("ra.key.old")) == 0600U);
        REQUIRE(world.superseded() != nullptr);
        CHECK(world.superseded()->certificate->digest() == world.old->certificate->digest());
    }

    TEST_CASE("renewal: wherever a crash comes, one whole credential is left") {
        // The steps as install() takes them, cut off after each.
        struct Step {
            const char* name;
            std::function<void(const World&)> run;
            bool is_new;
        };
        const auto link = [](std::string name) {
            return [name = std::move(name)](const World& world) {
                std::filesystem::create_hard_link(world.path(name), world.path(name + ".old.new"));
                std::filesystem::rename(world.path(name + ".old.new"), world.path(name + ".old"));
            };
        };
        const auto rename = [](std::string name) {
            return [name = std::move(name)](const World& world) {
                std::filesystem::rename(world.path(name + ".new"), world.path(name));
            };
        };
        const Step steps[] = {
            {"key kept", [](const World& world) { world.write("ra.key.new", "half a k", 0600); },
             false},
            {"both kept", [](const World& world) { world.files().keep(*world.next); }, false},
            {"certificate set aside", link("ra.pem"), false},
            {"key set aside", link("ra.key"), false},
            {"key replaced", rename("ra.key"), true},
            {"certificate replaced", rename("ra.pem"), true},
        };
        for (std::size_t cut = 0; cut < std::size(steps); ++cut) {
            CAPTURE(steps[cut].name);
            const World world;
            for (std::size_t i = 0; i <= cut; ++i) steps[i].run(world);
            const crypto::Sha256 want = steps[cut].is_new ? world.next->certificate->digest()
                                                          : world.old->certificate->digest();
            CHECK(world.opened() == want);
            CHECK(world.files().finish() == (std::string_view{steps[cut].name} == "key replaced"));
            CHECK(world.opened() == want);
            // And it can be renewed all the same.
            world.files().keep(*world.next);
            world.files().install();
            CHECK(world.opened() == world.next->certificate->digest());
        }
    }

    TEST_CASE("renewal: a key under a passphrase stays under it") {
        const World world{true};
        world.files().keep(*world.next);
        world.files().install();
        CHECK(text_of(world.path("ra.key")).starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        CHECK(world.opened() == world.next->certificate->digest());
    }

    TEST_CASE("renewal: with the old key only the certificate is replaced") {
        World world;
        world.config.renew->same_key = true;
        const std::string key = text_of(world.path("ra.key"));
        // A certificate for the old key: here the old one itself.
        world.files().keep(*world.old);
        world.files().install();
        CHECK(text_of(world.path("ra.key")) == key);
        CHECK_FALSE(world.there("ra.key.old"));
        CHECK(world.there("ra.pem.old"));
        CHECK(world.superseded() != nullptr);
    }

    TEST_CASE("renewal: a link stays one, and what it leads to is replaced") {
        World world;
        std::filesystem::create_directory(world.path("real"));
        std::filesystem::rename(world.path("ra.key"), world.path("real/key"));
        std::filesystem::create_symlink("real/key", world.path("ra.key"));
        world.files().keep(*world.next);
        world.files().install();
        CHECK(std::filesystem::is_symlink(world.path("ra.key")));
        CHECK(text_of(world.path("real/key")) == world.next->key->pem());
        CHECK(world.there("real/key.old"));
        // Nobody's link is followed where a new file is made.
        world.write("victim", "untouched", 0600);
        std::filesystem::create_symlink(world.path("victim"), world.path("real/key.new"));
        world.files().keep(*world.next);
        CHECK(text_of(world.path("victim")) == "untouched");
    }

    TEST_CASE("renewal: what cannot be written changes nothing, and is said before") {
        World world;
        std::filesystem::create_directory(world.path("ra.pem.new"));  // in the way
        world.write("ra.pem.new/x", "", 0600);
        CHECK_THROWS_WITH_AS(world.files().keep(*world.next), doctest::Contains("ra.pem.new"),
                             std::runtime_error);
        CHECK(world.opened() == world.old->certificate->digest());
        CHECK(renewal_fault(world.config, world.path("").string()).empty());
        if (::geteuid() != 0) {  // root may write anywhere
            std::filesystem::permissions(world.path(""), std::filesystem::perms::owner_read |
                                                             std::filesystem::perms::owner_exec);
            CHECK(renewal_fault(world.config, world.path("").string()).find("may not write") !=
                  std::string::npos);
            std::filesystem::permissions(world.path(""), std::filesystem::perms::owner_all);
        }
        world.config.certificate.value = Source::parse("file:nowhere.pem");
        CHECK_FALSE(renewal_fault(world.config, world.path("").string()).empty());
    }

    TEST_CASE("renewal: when it is due, and how often it is tried again") {
        const World world;
        const auto& view = world.old->certificate->view();
        const auto lifetime = view.not_after - view.not_before;
        CHECK(renewal_due(*world.old->certificate, std::nullopt) == view.not_after - lifetime / 3);
        CHECK(renewal_due(*world.old->certificate, seconds{60}) == view.not_after - seconds{60});

        constexpr seconds kYear{365 * 86'400};
        CHECK(renewal_pause(1, kYear) == seconds{60});
        CHECK(renewal_pause(2, kYear) == seconds{120});
        CHECK(renewal_pause(7, kYear) == seconds{3600});
        CHECK(renewal_pause(1'000'000, kYear) == seconds{3600});
        CHECK(renewal_pause(7, seconds{800}) == seconds{100});  // eight more tries at least
        CHECK(renewal_pause(7, seconds{1}) == seconds{5});
        CHECK(renewal_pause(7, seconds{-100}) == seconds{3600});  // it has ended
    }
}
