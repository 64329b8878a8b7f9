#pragma once

#include <vector>

#include "ra/gateway/ports.h"

namespace ra::upstream {

/// One upstream over a transport: its URLs in order, the next tried only when the last proved that
/// no octet left (S-04); a transaction's follow-ups go where it began (S-06). One a worker.
class Client final : public gateway::Upstream {
public:
    /// `couriers`: one a URL, in order, at most 255, outliving this. `resend_identical`: the CA is
    /// known to recognise a repetition by its transactionID, so a message may be sent again on a
    /// fresh connection when a pooled one turns out dead (S-04).
    explicit Client(std::vector<Courier*> couriers, bool resend_identical = false) noexcept
        : couriers_{std::move(couriers)}, resend_identical_{resend_identical} {}

    asio::awaitable<gateway::SubmitResult> submit(gateway::UpstreamMessage message) override;

private:
    std::vector<Courier*> couriers_;
    bool resend_identical_;
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
