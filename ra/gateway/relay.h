#pragma once

#include "ra/gateway/gather.h"
#include "ra/gateway/match.h"
#include "ra/gateway/progress.h"
#include "ra/gateway/treat.h"

namespace ra::gateway {

/// Takes one message through the stages (design: The life of a message). Lives in the frame of
/// Gateway::exchange(), which answers what fails here and settles what it holds.
class Relay {
public:
    /// `snapshot`: what is current as the message comes. All outlive it.
    Relay(Services& services, const Snapshots& snapshots, const SnapshotPtr& snapshot,
          Progress& progress) noexcept
        : services_{services},
          snapshots_{snapshots},
          settings_{*snapshot->settings},
          pinned_{snapshot},
          progress_{progress} {}

    /// The reply, with its transaction settled; or why there is none, with progress.held naming
    /// what remains to be settled.
    asio::awaitable<Outcome<Reply>> run(Arrival arrival);

private:
    asio::awaitable<Outcome<policy::AuthenticMessage>> authenticate(
        cmp::ParsedMessage parsed, const Arrival& arrival, const std::optional<Versioned>& claim);
    policy::OriginFacts gather_signature(const policy::ProfiledMessage& message,
                                         const policy::OriginPlan& plan,
                                         const std::optional<Versioned>& claim);
    Outcome<void> check_secret(bool known_transaction, cmp::BodyType type);
    Result<crypto::Chain> verify_chain(const policy::Profile& profile, bool for_ra,
                                       const crypto::TrustStore& trust, ByteView leaf,
                                       ByteView others);
    [[nodiscard]] const policy::Profile& current_trust(const policy::Profile& profile) const;
    Outcome<cmp::ParsedMessage> unwrap(cmp::ParsedMessage parsed, const Arrival& arrival);
    asio::awaitable<std::optional<Versioned>> find_claim(const cmp::PKIMessage& message);
    asio::awaitable<Outcome<Reply>> carry_on(policy::AuthenticMessage message,
                                             const Arrival& arrival);
    asio::awaitable<Outcome<void>> settled(const TransactionKey& key, Versioned& found);
    Outcome<Reply> repeat(const Record& record);
    void pin_credentials(Record& record) const;
    asio::awaitable<Outcome<void>> begin(const TransactionKey& key,
                                         const policy::ProvenRequest& request,
                                         const Arrival& arrival, std::optional<Versioned>& raced);
    asio::awaitable<Outcome<void>> follow_up(const TransactionKey& key, Versioned& found,
                                             const cmp::PKIMessage& message,
                                             const Arrival& arrival);
    Outcome<void> check_follow_up(const Record& record, const cmp::PKIMessage& message,
                                  const Arrival& arrival) const;
    asio::awaitable<Outcome<Reply>> forward(const policy::ProvenRequest& request,
                                            const Arrival& arrival);
    [[nodiscard]] const UpstreamSettings* upstream_settings(const std::string& name) const noexcept;
    asio::awaitable<Outcome<Treated>> treat_for(const policy::ProvenRequest& request,
                                                const UpstreamSettings& upstream);
    /// nullopt: the upstream will answer later.
    asio::awaitable<Outcome<std::optional<Answered>>> submit(cmp::BodyType type, ByteView der);
    asio::awaitable<Outcome<std::optional<Answered>>> send(const policy::ProvenRequest& request,
                                                           const UpstreamSettings& upstream);
    asio::awaitable<Outcome<Reply>> deliver(const policy::ProvenRequest& request,
                                            const Arrival& arrival,
                                            const UpstreamSettings& upstream, Answered answered);

    /// What a CA announces (announce.cpp).
    Outcome<Reply> announce(const cmp::PKIMessage& message, const Arrival& arrival);

    // Delays that this gateway starts (relay_delay.cpp).
    [[nodiscard]] bool parks(const std::string& upstream) const noexcept;
    Outcome<void> check_delay(const policy::Profile& profile) const;
    [[nodiscard]] Upstream* way_of(const Record& record) const noexcept;
    asio::awaitable<Outcome<Reply>> poll_parked(const policy::ProvenRequest& request,
                                                const Arrival& arrival,
                                                const UpstreamSettings& upstream);
    asio::awaitable<Outcome<Reply>> tell_to_wait(Bytes body, std::string_view decision);
    asio::awaitable<Outcome<Reply>> say_waiting();
    asio::awaitable<Outcome<Reply>> say_not_yet(const cmp::PKIMessage& poll,
                                                const UpstreamSettings& upstream);
    asio::awaitable<Outcome<Reply>> repeat_or_resume(const TransactionKey& key, Versioned found);
    [[nodiscard]] crypto::CredentialPtr pinned_credential(const crypto::CredentialPtr& current,
                                                          const crypto::Sha256& digest) const;
    asio::awaitable<Outcome<Bytes>> answer_with(MatchedResponse& matched);
    asio::awaitable<Outcome<Reply>> conclude(MatchedResponse matched);
    asio::awaitable<policy::InventoryFacts> look_up(const policy::ProvenRequest& request);
    asio::awaitable<Outcome<void>> take_stock(const MatchedResponse& matched,
                                              const policy::AuthenticMessage& request);
    asio::awaitable<Outcome<void>> hold_key(ByteView certificate,
                                            const policy::AuthenticMessage& request);
    asio::awaitable<void> note_revoked(const policy::Origin& origin);

    void keep_key(const Record& record);
    void lap(Stage stage) noexcept { progress_.lap(stage, services_.clock.boot_now()); }

    Services& services_;
    const Snapshots& snapshots_;
    const Settings& settings_;  // current as the message came
    SnapshotPtr pinned_;        // that its transaction began under; else the current one
    Progress& progress_;
    crypto::Sha256 digest_{};                  // of ProtectedPart
    std::optional<MacFacts> mac_;              // of a request whose MAC verified
    std::optional<cmp::ParsedMessage> outer_;  // nested single the message came in
    bool own_delay_ = false;                   // what is answered now had been told to wait, by us
    std::optional<policy::Amended> amended_;   // what policy made of it
};

}  // namespace ra::gateway
