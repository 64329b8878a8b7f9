#pragma once

#include <memory>
#include <optional>

#include "ra/gateway/gateway.h"
#include "ra/gateway/outcome.h"
#include "ra/gateway/verified_mac.h"

namespace ra::gateway {

/// What must become of a transaction this message holds in flight, if the message fails.
enum class OnFailure : std::uint8_t {
    release,  // no octet left: as if it had never come
    revert,   // a follow-up that may be sent again: back to what was before
    finish,   // ended; the error is its answer
    unknown,  // octets may have left: never sent again (S-04)
};

/// The transaction a message has claimed and not yet settled.
struct Held {
    TransactionKey key;
    std::uint64_t version = 0;
    Record record;                   // as claimed: state in_flight
    std::unique_ptr<Record> before;  // a follow-up: what to revert to; else null
    OnFailure on_failure = OnFailure::release;
};

/// What is known of one message so far. Each stage fills it before it can fail, so that the one
/// place that answers failures can answer with all of it.
struct Progress {
    explicit Progress(const Settings& snapshot) noexcept : settings{snapshot} {}

    const Settings& settings;
    Ended ended;
    BootTime started{};
    Deadline deadline{};

    // Of the request, copied: they outlive its octets.
    ShortBytes transaction_id;
    ShortBytes sender_nonce;
    Bytes sender;  // GeneralName TLV
    std::uint8_t pvno = 2;
    std::int64_t cert_req_id = 0;
    bool authentic = false;
    /// Set only when the request's own MAC has verified (S-20): every answer is protected with it.
    VerifiedMacPtr mac;
    bool with_digests = false;  // Audit::is_durable()

    std::optional<Held> held;

    /// The time since the last lap went into `stage`.
    void lap(Stage stage, BootTime now) noexcept {
        ended.stages[static_cast<std::size_t>(stage)] += now - lapped;
        lapped = now;
    }
    BootTime lapped{};

    /// Takes what parsed.
    void took(const cmp::PKIMessage& message);
    /// Takes what a message that does not parse still tells (S-32).
    void took(const cmp::Salvage& salvage);
};

/// A message of our own for the device: under the MAC of the request, else under `credential`.
struct OwnAnswer {
    Bytes der;                // empty: no protection could be made
    bool overloaded = false;  // because there was no room to sign
};
[[nodiscard]] asio::awaitable<OwnAnswer> build_own_answer(const Progress& progress, ByteView body,
                                                          ByteView sender_nonce,
                                                          const crypto::Credential* credential,
                                                          const Services& services);

/// The one whose answers this transaction has seen, else the current one.
[[nodiscard]] crypto::CredentialPtr reply_credential(const Progress& progress);

/// The answer that carries a fault of the request's body; nullopt: it has none.
[[nodiscard]] std::optional<cmp::BodyType> specific_response(cmp::BodyType request) noexcept;

/// The answer to a failure (R-030..R-045): in the specific response where the body is at fault,
/// else `error`; protected by the MAC of the request, else by the RA's credential unless there is
/// none or the budget for unauthenticated peers is used up (`may_sign` false). NotCmp where not
/// even a transactionID is known.
[[nodiscard]] asio::awaitable<Reply> build_error_reply(const Progress& progress,
                                                       const Failure& failure, bool may_sign,
                                                       const Services& services);

/// For the audit: rule, failInfo and detail of a failure.
void describe(const Failure& failure, Ended& ended);

}  // namespace ra::gateway
