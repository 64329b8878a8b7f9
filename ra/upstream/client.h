#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "metrics/count.h"
#include "ra/gateway/ports.h"
#include "ra/upstream/breaker.h"

namespace ra::upstream {

struct ClientSettings {
    BreakerSettings breaker;  // of each URL
    /// The CA is known to recognise a repetition by its transactionID, so a message may be sent
    /// again on a fresh connection when a pooled one turns out dead (S-04).
    bool resend_identical = false;
    /// The URLs lead to nodes of one CA that share its transactions: a follow-up may go to another
    /// one than its transaction began at (S-06).
    bool shared_state = false;
    std::size_t concurrent = 1024;  // messages on their way; more are not sent
    std::chrono::milliseconds probe_time{5'000};
    std::chrono::milliseconds answer_time{0};  // of one message at most; 0: its deadline alone
};

/// One upstream over a transport: its URLs in order, the next tried only when the last proved that
/// no octet left (S-04); a transaction's follow-ups go where it began (S-06). A URL that keeps
/// failing is left alone for a while and then probed. One a worker.
class Client final : public gateway::Upstream {
public:
    /// `couriers`: one a URL, in order, at most 255; all outlive this.
    Client(std::vector<Courier*> couriers, const Clock& clock, ClientSettings settings = {});

    asio::awaitable<gateway::SubmitResult> submit(gateway::UpstreamMessage message) override;

    /// Tries the URLs whose time has come, without a message. To be called every second or so; does
    /// nothing while all is well.
    asio::awaitable<void> probe();

    /// How one URL fares, for metrics and readiness. Read from any thread.
    struct Health {
        metrics::Count failures;     // messages not delivered, or not answered
        metrics::Count failed_over;  // messages that passed it by for the next URL
        metrics::Count opened;       // times it was left alone
        metrics::Count down;         // gauge: 1 while it is
    };
    [[nodiscard]] std::size_t urls() const noexcept { return urls_.size(); }
    [[nodiscard]] const Health& health(std::size_t url) const noexcept { return urls_[url].health; }
    /// Messages turned away at `concurrent`.
    [[nodiscard]] const metrics::Count& turned_away() const noexcept { return turned_away_; }

private:
    struct Url {
        Url(Courier& to, const BreakerSettings& settings) : courier{to}, breaker{settings} {}
        Courier& courier;
        Breaker breaker;
        Health health;
    };
    asio::awaitable<gateway::SubmitResult> deliver(std::size_t url, const Delivery& delivery);
    void note(Url& url, const Sent& sent) noexcept;
    void succeeded(Url& url) noexcept;
    void failed(Url& url) noexcept;

    std::deque<Url> urls_;
    const Clock& clock_;
    ClientSettings settings_;
    std::size_t on_their_way_ = 0;
    metrics::Count turned_away_;
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
