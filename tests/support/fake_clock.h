#pragma once

#include <atomic>
#include <chrono>

#include "ra/base/time.h"

namespace test {

/// Time that passes only when told to. May be read by several threads.
class FakeClock final : public ra::Clock {
public:
    explicit FakeClock(ra::WallTime wall = ra::WallTime{std::chrono::seconds{1'790'000'000}})
        : wall_{wall} {}

    [[nodiscard]] ra::WallTime wall_now() const noexcept override {
        return wall_ + std::chrono::floor<std::chrono::seconds>(passed()) + step_.load();
    }
    [[nodiscard]] ra::BootTime boot_now() const noexcept override { return kBoot + passed(); }

    void pass(std::chrono::nanoseconds time) noexcept { passed_ += time.count(); }
    /// Somebody sets the wall clock; boot time goes on unmoved (S-43).
    void step_wall(std::chrono::seconds by) noexcept { step_ = step_.load() + by; }

private:
    static constexpr ra::BootTime kBoot{std::chrono::hours{1}};
    [[nodiscard]] std::chrono::nanoseconds passed() const noexcept {
        return std::chrono::nanoseconds{passed_.load()};
    }
    const ra::WallTime wall_;
    std::atomic<std::int64_t> passed_{0};
    std::atomic<std::chrono::seconds> step_{std::chrono::seconds{0}};
};

}  // namespace test
