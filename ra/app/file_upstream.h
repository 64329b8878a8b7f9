#pragma once

#include <functional>
#include <memory>
#include <string>

#include "ra/app/log.h"
#include "ra/gateway/ports.h"
#include "transports/common/worker.h"
#include "transports/file/client.h"

namespace ra::app {

/// A CA that is on no network: messages and answers are carried as files (RFC 9483 6.3). One a
/// worker; the spool is shared. The disk is waited for on the CPU pool.
class FileUpstream final : public gateway::Upstream {
public:
    using Spool = std::shared_ptr<transports::file::SpoolClient>;

    /// `patience`: how long an answer is waited for before the device is told to. `log`, `worker`
    /// and `cpu` outlive it.
    FileUpstream(std::string name, Spool spool, std::chrono::milliseconds patience,
                 transports::common::Worker& worker, gateway::CpuPool& cpu, Log& log)
        : name_{std::move(name)},
          spool_{std::move(spool)},
          patience_{patience},
          worker_{worker},
          cpu_{cpu},
          log_{log} {}

    asio::awaitable<gateway::SubmitResult> submit(gateway::UpstreamMessage message) override;
    asio::awaitable<gateway::SubmitResult> collect(std::string_view ticket) override;
    asio::awaitable<void> settle(std::string_view ticket, std::string_view refused_by) override;

private:
    asio::awaitable<gateway::SubmitResult> look(std::string ticket);
    void report(const std::string& file, std::string_view why);

    const std::string name_;
    const Spool spool_;
    const std::chrono::milliseconds patience_;
    transports::common::Worker& worker_;
    gateway::CpuPool& cpu_;
    Log& log_;
};

}  // namespace ra::app
