#pragma once

#include <vector>

#include "ra/gateway/ports.h"

namespace ra::upstream {

/// One upstream over a transport: its URLs in order, the next tried only when the last proved that
/// no octet left (S-04); a transaction's follow-ups go where it began (S-06). One a worker.
class Client final : public gateway::Upstream {
public:
    /// `couriers`: one a URL, in order, at most 255, outliving this.
    explicit Client(std::vector<Courier*> couriers) noexcept : couriers_{std::move(couriers)} {}

    asio::awaitable<gateway::SubmitResult> submit(gateway::UpstreamMessage message) override;

private:
    std::vector<Courier*> couriers_;
};

/// An upstream inside this process: the lab CA, a test's CA.
class Local final : public gateway::Upstream {
public:
    explicit Local(Exchange& exchange) noexcept : exchange_{exchange} {}

    asio::awaitable<gateway::SubmitResult> submit(gateway::UpstreamMessage message) override;

private:
    Exchange& exchange_;
};

}  // namespace ra::upstream
