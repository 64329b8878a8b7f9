#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "ra/app/config/config.h"
#include "ra/app/log.h"
#include "ra/store/memory.h"
#include "ra/store/memory_inventory.h"
#include "ra/store/secret_table.h"
#include "ra/store/sqlite.h"

namespace ra::app {

/// The store a configuration asks for, with the thread it needs.
class StoreHost {
public:
    /// Opens it; the first start makes file and key. `clock`, `random` and `log` outlive this;
    /// `random` is used while this is made. Throws std::runtime_error: it is in use, its key is
    /// missing, and the like.
    StoreHost(const config::Config& config, const Clock& clock, Random& random, Log& log);
    ~StoreHost();
    StoreHost(const StoreHost&) = delete;
    StoreHost& operator=(const StoreHost&) = delete;

    [[nodiscard]] gateway::Store& store() noexcept;
    /// The same object.
    [[nodiscard]] gateway::Secrets& secrets() noexcept;
    /// What went through: on the same disk, or as forgetful.
    [[nodiscard]] gateway::Inventory& inventory() noexcept;
    [[nodiscard]] const gateway::Inventory& inventory() const noexcept;
    /// As Sqlite::clear_orphan(); false where there is no ledger.
    [[nodiscard]] asio::awaitable<std::optional<bool>> clear_orphan(std::int64_t id);
    [[nodiscard]] gateway::Store::Sizes sizes() const;
    [[nodiscard]] store::SecretFigures secret_figures(WallTime now) const;
    /// nullopt: nothing is written.
    [[nodiscard]] std::optional<store::Journal::Figures> figures() const;
    /// Why nothing that changes something can be begun; empty: it can. Any thread.
    [[nodiscard]] std::string fault() const;
    /// Ends what is due; several times a second.
    void sweep();
    /// Writes what is left and ends the thread. Nothing uses the store any more.
    void stop();

private:
    std::unique_ptr<store::Memory> memory_;  // one of these two
    std::unique_ptr<store::Sqlite> sqlite_;
    std::unique_ptr<store::MemoryInventory> memory_inventory_;  // with memory_
    SystemRandom random_;                                       // of the thread
    std::thread thread_;
};

/// Where the database is: `[store] path`, else the configuration's name with ".db", in
/// $STATE_DIRECTORY (systemd) or beside it.
[[nodiscard]] std::string store_path(const config::Config& config);

/// store.key as configured. Throws std::runtime_error: it cannot be had, or is none.
[[nodiscard]] Secret load_store_key(const config::Config& config);

/// What can be known of the store without opening it: directory, file modes, the key. Only
/// `sqlite` has any of that.
void check_store(const config::Config& config, config::Faults& faults);

}  // namespace ra::app
