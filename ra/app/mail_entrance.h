#pragma once

#include <functional>

#include "ra/app/entrance.h"

namespace ra::app {

/// A listener whose messages come in by mail: `cmpgate mail` hands them over through the admin
/// socket. It has no address of its own.
class MailEntrance final : public Entrance {
public:
    MailEntrance(const config::ListenerConfig& config, const Wiring& wiring,
                 transports::common::Workers& workers, const PartsList& parts);

    void use(const config::ListenerConfig& /*config*/, const Wiring& /*wiring*/,
             std::size_t /*index*/) override {}
    void start() override { open_ = true; }
    void retire() override { open_ = false; }
    void stop() override { open_ = false; }
    [[nodiscard]] bool deserted() const noexcept override { return true; }
    void leave(std::size_t /*index*/) noexcept override {}
    [[nodiscard]] const std::string& address() const noexcept override { return address_; }

    /// From any thread: `done` is told the reply, on a worker.
    void exchange(Bytes der, std::function<void(Reply)> done);

private:
    static asio::awaitable<void> run(Exchange& exchange, Arrival arrival,
                                     std::function<void(Reply)> done);

    const std::string address_;
    transports::common::Worker& worker_;
    Exchange& exchange_;
    std::atomic<bool> open_{false};
};

}  // namespace ra::app
