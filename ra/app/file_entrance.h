#pragma once

#include <memory>
#include <string>
#include <thread>

#include "ra/app/entrance.h"
#include "transports/file/server.h"

namespace ra::app {

/// A spool directory as a listener: on a thread of its own, because it waits for the disk.
class FileEntrance final : public Entrance {
public:
    FileEntrance(const config::ListenerConfig& config, const Wiring& wiring,
                 transports::common::Workers& workers, const PartsList& parts, Log& log);
    ~FileEntrance() override;

    void use(const config::ListenerConfig& /*config*/, const Wiring& /*wiring*/,
             std::size_t /*index*/) override {}
    void used(const config::ListenerConfig& config, const Wiring& wiring) override;
    void start() override;
    void retire() override { server_->stop(); }
    void stop() override { server_->stop(); }
    [[nodiscard]] bool deserted() const noexcept override { return server_->deserted(); }
    void leave(std::size_t /*index*/) noexcept override {}
    [[nodiscard]] const std::string& address() const noexcept override { return path_; }
    [[nodiscard]] transports::common::Announcements* audience() noexcept override {
        return server_.get();
    }
    [[nodiscard]] const transports::file::FileServerCounters* files() const noexcept override {
        return &counters_;
    }

private:
    const std::string path_;
    transports::file::FileServerCounters counters_;
    std::unique_ptr<transports::file::FileServer> server_;
    std::thread thread_;
};

}  // namespace ra::app
