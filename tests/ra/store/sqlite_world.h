#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ra/store/sqlite.h"
#include "tests/ra/store/subject.h"
#include "tests/support/fake_clock.h"
#include "tests/support/ram_vfs.h"
#include "tests/support/seeded_random.h"

namespace test::store {

inline ra::Secret store_key(std::uint8_t fill = 0x42) {
    return ra::Secret{ra::Bytes(ra::crypto::Sealer::kKeyOctets, fill)};
}

/// A machine with a store on a disk in memory: it can be stopped, fail and start again. The store's
/// own thread runs between start() and stop().
class SqliteWorld {
public:
    explicit SqliteWorld(const Bounds& bounds = {}) : bounds_{bounds} { start(); }
    /// From the next start() on.
    void use(const Bounds& bounds) { bounds_ = bounds; }
    ~SqliteWorld() { stop(); }
    SqliteWorld(const SqliteWorld&) = delete;
    SqliteWorld& operator=(const SqliteWorld&) = delete;

    void start(std::uint8_t key = 0x42) {
        ra::store::SqliteSettings settings;
        settings.memory.open = bounds_.open;
        settings.memory.open_per_principal = bounds_.open_per_principal;
        settings.memory.remembered = bounds_.remembered;
        settings.memory.remembered_per_principal = bounds_.remembered_per_principal;
        settings.memory.kept_octets = bounds_.kept_octets;
        settings.memory.opaque_percent = bounds_.opaque_percent;
        settings.memory.watches_per_record = bounds_.watches_per_record;
        settings.inventory = {bounds_.certified_keys, bounds_.revoked};
        settings.journal.path = "store.db";
        settings.journal.vfs = disk_.name();
        settings.journal.guarded = false;
        settings.journal.boot_id = boot_id_;
        settings.journal.fence = std::chrono::seconds{900};
        settings.journal.alarm = [this](const std::string& what) { alarms_.push_back(what); };
        store_ = std::make_unique<ra::store::Sqlite>(std::move(settings), store_key(key), clock_,
                                                     random_);
        thread_ = std::thread{[this] { store_->run(); }};
    }
    void stop() {
        if (!store_) return;
        store_->stop();
        thread_.join();
        store_.reset();
    }
    /// The process dies with whatever the disk has now.
    void crash() {
        const RamVfs::Files left = disk_.files();
        stop();
        disk_.put(left);
    }
    void restart() {
        crash();
        start();
    }
    /// The machine starts anew: boot time begins again, the wall clock goes on.
    void reboot(std::string boot_id) { boot_id_ = std::move(boot_id); }

    ra::store::Sqlite& sqlite() { return *store_; }
    ra::gateway::Store& store() { return *store_; }
    ra::gateway::Secrets& secrets() { return *store_; }
    ra::gateway::Inventory& inventory() { return store_->inventory(); }
    ra::BootTime now() { return clock_.boot_now(); }
    void pass(std::chrono::seconds time) {
        clock_.pass(time);
        store_->sweep();
    }
    FakeClock& clock() { return clock_; }
    RamVfs& disk() { return disk_; }
    [[nodiscard]] const std::vector<std::string>& alarms() const { return alarms_; }

private:
    Bounds bounds_;
    RamVfs disk_;
    FakeClock clock_;
    SeededRandom random_{7};
    std::string boot_id_ = "boot-1";
    std::vector<std::string> alarms_;
    std::unique_ptr<ra::store::Sqlite> store_;
    std::thread thread_;
};

}  // namespace test::store
