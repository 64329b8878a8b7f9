#include "ra/app/store_host.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "ra/app/config/material.h"

namespace ra::app {
namespace {

namespace fs = std::filesystem;
using config::Source;

constexpr std::size_t kKeyDigits = 2 * crypto::Sealer::kKeyOctets;

/// Of the key: `[store] key`, else a file beside the database.
Source key_source(const config::Config& config) {
    if (config.store.key) return config.store.key->value;
    return {Source::Kind::file, fs::absolute(store_path(config) + ".key").string()};
}

bool is_wide(const std::string& path) {
    struct stat facts{};
    return ::stat(path.c_str(), &facts) == 0 && (facts.st_mode & (S_IRWXG | S_IRWXO)) != 0;
}

int digit_of(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

Secret parse_key(std::string& text, const std::string& where) {
    Bytes octets;
    octets.reserve(crypto::Sealer::kKeyOctets);
    bool good = text.size() == kKeyDigits;
    for (std::size_t i = 0; good && i < text.size(); i += 2) {
        const int high = digit_of(text[i]);
        const int low = digit_of(text[i + 1]);
        good = high >= 0 && low >= 0;
        octets.push_back(static_cast<std::uint8_t>(high * 16 + low));
    }
    wipe(text.data(), text.size());
    Secret key{std::move(octets)};
    if (!good) {
        throw std::runtime_error(where + " is no store key: it wants 64 hexadecimal digits, as " +
                                 "openssl rand -hex 32 makes them");
    }
    return key;
}

void make_key(const std::string& path, Random& random) {
    Bytes octets = random.octets(crypto::Sealer::kKeyOctets);
    std::string text = to_hex(octets) + '\n';
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const bool good =
        file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
        ::fsync(file) == 0;
    const int error = errno;
    if (file >= 0) ::close(file);
    wipe(octets.data(), octets.size());
    wipe(text.data(), text.size());
    if (!good) throw std::runtime_error(path + ": " + std::generic_category().message(error));
}

std::string boot_id() {
    std::ifstream file{"/proc/sys/kernel/random/boot_id"};
    std::string id;
    std::getline(file, id);
    return id;
}

store::MemorySettings memory_settings(const config::Config& whole) {
    const config::StoreConfig& config = whole.store;
    const bool all_opaque =
        std::all_of(whole.profiles.begin(), whole.profiles.end(), [](const auto& one) {
            return one.profile.origin.kind == policy::OriginSettings::Kind::opaque;
        });
    store::MemorySettings settings;
    settings.open = config.open;
    settings.open_per_principal = config.open_per_principal;
    settings.open_octets = config.open_octets;
    settings.remembered = config.remembered;
    settings.remembered_per_principal = config.remembered_per_principal;
    settings.kept_octets = config.kept_octets;
    settings.opaque_percent =
        config.opaque_percent.value_or(all_opaque ? 100 : settings.opaque_percent);
    return settings;
}

/// The key; the first start of a store whose key is a file makes it.
Secret provide_key(const config::Config& config, Random& random, Log& log) {
    const Source source = key_source(config);
    if (source.kind == Source::Kind::file) {
        const std::string path = config::Material{source, config.directory}.path();
        if (!fs::exists(path)) {
            if (fs::exists(store_path(config))) {
                throw std::runtime_error(path + ": the key of " + store_path(config) +
                                         " is missing; without it the store cannot be read");
            }
            make_key(path, random);
            log.write(Log::Level::info, "store",
                      {{"detail", "a new key was made; keep it apart from backups of the store"},
                       {"file", std::string_view{path}}});
        }
    }
    return load_store_key(config);
}

}  // namespace

std::string store_path(const config::Config& config) {
    if (!config.store.path.value.empty())
        return (fs::path(config.directory) / config.store.path.value).string();
    const char* state = std::getenv("STATE_DIRECTORY");
    std::string directory = state != nullptr ? state : config.directory;
    directory = directory.substr(0, directory.find(':'));
    // By the configuration's name: two gateways in one directory have two stores.
    return (fs::path(directory) / fs::path(config.file).stem().concat(".db")).string();
}

Secret load_store_key(const config::Config& config) {
    const Source source = key_source(config);
    const config::Material material{source, config.directory};
    if (source.kind == Source::Kind::file && is_wide(material.path())) {
        throw std::runtime_error(source.text() +
                                 " may be opened by others than its owner; chmod 0600 it (S-24)");
    }
    std::string text = material.read();
    return parse_key(text, source.text());
}

void check_store(const config::Config& config, config::Faults& faults) {
    if (config.store.kind != config::StoreConfig::Kind::sqlite) return;
    const std::string path = store_path(config);
    const fs::path directory = fs::absolute(path).parent_path();
    if (::access(directory.c_str(), W_OK | X_OK) != 0) {
        faults.error(config.store.path.at, "[store] path: cannot write in " + directory.string() +
                                               ": " + std::generic_category().message(errno));
    }
    for (const char* suffix : {"", "-wal", ".guard"}) {
        if (is_wide(path + suffix)) {
            faults.error(config.store.path.at, path + suffix +
                                                   " may be opened by others than its owner; "
                                                   "chmod 0600 it (S-24)");
        }
    }
    const config::Place at = config.store.key ? config.store.key->at : config.store.path.at;
    try {
        const Source source = key_source(config);
        const bool is_file = source.kind == Source::Kind::file;
        if (is_file && !fs::exists(config::Material{source, config.directory}.path())) {
            if (fs::exists(path))
                faults.error(at, source.text() + ": the key of " + path + " is missing");
            return;  // the first start makes it
        }
        (void)load_store_key(config);
    } catch (const std::exception& fault) {
        faults.error(at, std::string("[store] key: ") + fault.what());
    }
}

StoreHost::StoreHost(const config::Config& config, const Clock& clock, Random& random, Log& log) {
    const store::InventorySettings inventory{config.store.certified_keys, config.store.revoked};
    if (config.store.kind == config::StoreConfig::Kind::memory) {
        memory_inventory_ = std::make_unique<store::MemoryInventory>(inventory);
        memory_ = std::make_unique<store::Memory>(clock, random, memory_settings(config));
        return;
    }
    store::SqliteSettings settings;
    settings.memory = memory_settings(config);
    settings.inventory = inventory;
    settings.journal.path = store_path(config);
    settings.journal.boot_id = boot_id();
    settings.journal.fence = config.limits.replay_horizon;
    settings.journal.alarm = [&log](const std::string& what) {
        log.write(Log::Level::error, "store", {{"detail", std::string_view{what}}});
    };
    sqlite_ = std::make_unique<store::Sqlite>(std::move(settings), provide_key(config, random, log),
                                              clock, random_);
    const auto sizes = sqlite_->sizes();
    log.write(sqlite_->in_doubt() != 0 ? Log::Level::error : Log::Level::info, "store",
              {{"keys", static_cast<std::int64_t>(sqlite_->inventory().sizes().keys)},
               {"revoked", static_cast<std::int64_t>(sqlite_->inventory().sizes().revoked)},
               {"open", static_cast<std::int64_t>(sizes.open)},
               {"remembered", static_cast<std::int64_t>(sizes.remembered)},
               {"in_doubt", static_cast<std::int64_t>(sqlite_->in_doubt())},
               {"ledger", static_cast<std::int64_t>(sizes.orphans)}});
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the main thread's
    thread_ = std::thread{[this] { sqlite_->run(); }};
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

StoreHost::~StoreHost() { stop(); }

gateway::Store& StoreHost::store() noexcept {
    if (memory_) return *memory_;
    return *sqlite_;
}

gateway::Secrets& StoreHost::secrets() noexcept {
    if (memory_) return *memory_;
    return *sqlite_;
}

gateway::Inventory& StoreHost::inventory() noexcept {
    if (memory_inventory_) return *memory_inventory_;
    return sqlite_->inventory();
}

const gateway::Inventory& StoreHost::inventory() const noexcept {
    if (memory_inventory_) return *memory_inventory_;
    return sqlite_->inventory();
}

asio::awaitable<std::optional<bool>> StoreHost::clear_orphan(std::int64_t id) {
    if (!sqlite_) co_return false;
    co_return co_await sqlite_->clear_orphan(id);
}

gateway::Store::Sizes StoreHost::sizes() const {
    return memory_ ? memory_->sizes() : sqlite_->sizes();
}

store::SecretFigures StoreHost::secret_figures(WallTime now) const {
    return memory_ ? memory_->secret_figures(now) : sqlite_->secret_figures(now);
}

std::optional<store::Journal::Figures> StoreHost::figures() const {
    if (!sqlite_) return std::nullopt;
    return sqlite_->figures();
}

std::string StoreHost::fault() const {
    const auto figures = this->figures();
    if (!figures) return {};
    if (!figures->writable) return "the disk takes nothing";
    return figures->fenced ? "restored or edited: nothing is begun for replay_horizon" : "";
}

void StoreHost::sweep() {
    if (memory_) {
        memory_->sweep();
    } else {
        sqlite_->sweep();
    }
}

void StoreHost::stop() {
    if (!thread_.joinable()) return;
    sqlite_->stop();
    thread_.join();
}

}  // namespace ra::app
