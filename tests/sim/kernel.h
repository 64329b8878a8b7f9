#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "ra/base/time.h"
#include "ra/gateway/ports.h"
#include "tests/support/seeded_random.h"

/// One thread, virtual time, seeded faults: whatever the gateway asks of the world comes from here.
namespace test::sim {

namespace asio = boost::asio;
using Span = std::chrono::nanoseconds;

/// Time, timers and the run queue. Time passes only between two events, in no time at all.
class Kernel final : public ra::Clock, public ra::Timers {
public:
    explicit Kernel(std::uint64_t seed) noexcept : random_{seed} {}

    [[nodiscard]] ra::WallTime wall_now() const noexcept override {
        return kWallStart + std::chrono::floor<std::chrono::seconds>(now_ - kBootStart) + stepped_;
    }
    [[nodiscard]] ra::BootTime boot_now() const noexcept override { return now_; }
    /// Somebody sets the wall clock (S-43).
    void step_wall(std::chrono::seconds by) noexcept { stepped_ += by; }

    Id schedule(ra::BootTime at, std::function<void()> fire) override;
    void cancel(Id id) noexcept override;
    [[nodiscard]] std::size_t scheduled() const noexcept { return due_.size(); }

    asio::awaitable<void> sleep(Span span);

    /// Runs `work` beside everything else; run_until() throws what it throws.
    void spawn(asio::awaitable<void> work);
    [[nodiscard]] std::size_t alive() const noexcept { return alive_; }

    /// Handles events, in order of time, until `done` or the moment; `step` runs after each.
    /// False: nothing left to happen, or the moment came, before `done`.
    bool run_until(ra::BootTime moment, const std::function<bool()>& done,
                   const std::function<void()>& step);

    /// Destroys whatever still waits; call it before what that refers to goes.
    void abandon() noexcept;

    [[nodiscard]] SeededRandom& random() noexcept { return random_; }
    [[nodiscard]] Span passed() const noexcept { return now_ - kBootStart; }

    static constexpr ra::WallTime kWallStart{std::chrono::seconds{1'790'000'000}};

private:
    void run_ready();

    static constexpr ra::BootTime kBootStart{std::chrono::hours{1}};
    ra::BootTime now_ = kBootStart;
    std::chrono::seconds stepped_{0};
    SeededRandom random_;
    Id last_id_ = 0;
    std::map<std::pair<ra::BootTime, Id>, std::function<void()>> due_;
    std::map<Id, ra::BootTime> when_;
    std::size_t alive_ = 0;
    std::exception_ptr failed_;
    std::optional<asio::io_context> io_{std::in_place, 1};
};

/// A pool whose work takes virtual time and whose queue may be full.
class SimCpuPool final : public ra::gateway::CpuPool {
public:
    SimCpuPool(Kernel& kernel, unsigned full_percent) noexcept
        : kernel_{kernel}, full_percent_{full_percent} {}
    asio::awaitable<bool> run(std::function<void()> work) override;

private:
    Kernel& kernel_;
    unsigned full_percent_;
};

}  // namespace test::sim
