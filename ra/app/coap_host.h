#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ra/app/entrance.h"
#include "ra/app/log.h"
#include "transports/coap/server.h"
#include "transports/common/workers.h"

namespace ra::app {

/// The thread that everything of libcoap runs on, which has no locks.
class CoapHost {
public:
    explicit CoapHost(Log& log);
    CoapHost(const CoapHost&) = delete;
    CoapHost& operator=(const CoapHost&) = delete;
    ~CoapHost();

    void start();
    /// Runs `work` there and waits for it; throws what it throws.
    void run(const std::function<void()>& work);
    [[nodiscard]] transports::common::Worker& worker() noexcept { return thread_[0]; }
    /// What ends with the thread; what is left there stays until this goes.
    void stop();

    /// Of a listener's name, for the life of the process. From the main thread.
    [[nodiscard]] transports::coap::CoapServerCounters& counters(const std::string& listener) {
        return counters_[listener];
    }

private:
    std::map<std::string, transports::coap::CoapServerCounters> counters_;
    transports::common::Workers thread_;
    std::atomic<bool> started_ = false;
};

/// One CoAP listener of the process. From the main thread, where not said otherwise.
class CoapEntrance final : public Entrance {
public:
    /// Exchanges are turned away before start(). `host`, `workers` and `parts` outlive it.
    CoapEntrance(const config::ListenerConfig& config, const Wiring& wiring, CoapHost& host,
                 transports::common::Workers& workers, const PartsList& parts);
    /// What is under way ends without its answer being sent.
    ~CoapEntrance() override;

    void use(const config::ListenerConfig&, const Wiring&, std::size_t) override {}
    void used(const config::ListenerConfig& config, const Wiring& wiring) override;
    void set_tls(transports::common::TlsContextPtr tls) override;
    /// From any thread but the host's: whose pre-shared keys count from now on.
    void set_psks(transports::coap::PskTablePtr psks);
    void start() override;
    void retire() override { stop(); }
    /// Takes no new exchanges; later blocks of what was answered are sent all the same.
    void stop() override;
    /// Every answer has gone out.
    [[nodiscard]] bool deserted() const noexcept override;
    void leave(std::size_t) noexcept override {}

    [[nodiscard]] const std::string& address() const noexcept override { return server_->text(); }
    [[nodiscard]] std::uint16_t port() const noexcept override { return server_->port(); }
    [[nodiscard]] const transports::coap::CoapServerCounters& counters() const noexcept {
        return counters_;
    }
    [[nodiscard]] transports::common::Announcements* audience() noexcept override {
        return server_.get();
    }

private:
    CoapHost& host_;
    transports::coap::CoapServerCounters& counters_;
    std::unique_ptr<transports::coap::CoapServer> server_;  // of the host's thread
};

}  // namespace ra::app
