#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "policy/inventory.h"
#include "policy/stages.h"
#include "policy/treatment.h"
#include "ra/base/bytes.h"
#include "ra/base/short_bytes.h"
#include "ra/base/time.h"
#include "ra/cmp/types.h"
#include "ra/exchange.h"
#include "ra/gateway/quirks.h"
#include "ra/gateway/secrets.h"

/// What the gateway needs of the world; implemented elsewhere (store, upstream, app, tests/sim).
namespace ra::gateway {

/// Where a transaction is known: {principal, transactionID} (S-03).
struct TransactionKey {
    policy::Principal principal;
    ShortBytes transaction_id;
    friend bool operator==(const TransactionKey&, const TransactionKey&) = default;
};

/// What may come next in a transaction.
enum class State : std::uint8_t {
    in_flight,         // a request is on its way upstream; repetitions wait
    expects_certconf,  // a certificate was delivered and wants confirmation
    expects_poll,      // upstream said waiting
    outcome_unknown,   // octets may have left, no answer: never sent again (S-04)
    finished,          // a final answer was given; the digest is remembered (S-05)
};

/// One transaction, as kept (spec 02 section K). A value: copies are cheap but for the octets,
/// which are shared and immutable.
struct Record {
    State state{};
    cmp::BodyType request_type{};     // that began it
    crypto::Sha256 request_digest{};  // ProtectedPart of the message in flight, or answered last
    std::shared_ptr<const Bytes> answer;  // kept for repetition; null: none, or evicted
    std::shared_ptr<const Bytes>
        request;                   // the first request, until a certificate has been checked
    std::string profile;           // pinned (S-06)
    std::uint64_t generation = 0;  // of the configuration it began under, within this process
    std::string upstream;
    Operation operation{};  // path of the first request: follow-ups use the same
    std::string label;
    ShortBytes ee_nonce;     // last senderNonce of the EE
    ShortBytes first_nonce;  // senderNonce of the first (delayed) request
    ShortBytes ca_nonce;     // last senderNonce of the CA
    /// senderNonce of the message the upstream holds and will answer later, while we tell the
    /// device to wait: with the transactionID it names that message there. Empty: none.
    ShortBytes parked_nonce;
    std::int64_t cert_req_id = 0;
    bool implicit_confirm_requested = false;
    policy::Treatment treatment = policy::Treatment::forward;  // of all its messages (S-06)
    crypto::Sha256 credential{};          // digest of the certificate we sign with towards the CA
    crypto::Sha256 answer_credential{};   // ... and towards the device; zero: none of ours
    bool sent_as_cr = false;              // a p10cr, amended
    bool verified = false;                // false: opaque
    crypto::CertificatePtr signer;        // for follow-ups without extraCerts
    crypto::CertificatePtr responder;     // that protected the first answer; null: opaque
    std::optional<SecretUse> secret_use;  // that this transaction holds (S-23); nullopt: none
    /// Whom the bounds of a store count it for (S-05); nullopt: its principal. Of an opaque message
    /// also the address it came from: whoever only knows a senderKID uses up his own share.
    std::optional<policy::Principal> payer;
    std::uint8_t url = 0;       // of the upstream; follow-ups go nowhere else (S-06)
    BootTime expires{};         // an open one ends then
    BootTime remember_until{};  // replay horizon (S-05)
    /// Why a certificate may have been issued that nobody has: it goes to the ledger (S-04). The
    /// rule of the refusal, as in the audit; empty: no doubt.
    std::string_view in_doubt{};
};
struct Versioned {
    Record record;
    std::uint64_t version = 0;
};

struct Begun {
    std::uint64_t version = 0;
};
struct Exists {
    Versioned found;
};
/// Another principal holds {upstream, transactionID} (S-03).
struct IdInUse {
    policy::Principal holder;
};
/// Bounds: of this principal, of open transactions, of the replay memory (S-05), of the uses of a
/// secret (S-23: "secret uses", "secret").
struct Full {
    std::string_view bound;
};
using BeginResult = std::variant<Begun, Exists, IdInUse, Full>;

struct Advanced {
    std::uint64_t version = 0;
};
struct Conflict {};
using AdvanceResult = std::variant<Advanced, Conflict>;

/// Transactions, changed by compare-and-set only. Shared by all workers; every call is atomic.
/// Records that expired are not found (and go by themselves).
struct Store {
    virtual ~Store() = default;
    virtual asio::awaitable<std::optional<Versioned>> find(const TransactionKey& key) = 0;
    /// Open transactions with this transactionID, of whatever principal (at most 4): to pick the
    /// profile and kept certificate of a follow-up. A hint; grants nothing.
    virtual asio::awaitable<std::vector<Versioned>> find_claims(ByteView transaction_id) = 0;
    /// Claims the key and {record.upstream, transactionID}, and reserves record.secret_use, all or
    /// nothing. Durable before it returns.
    virtual asio::awaitable<BeginResult> begin(const TransactionKey& key, Record record) = 0;
    /// Replaces the record if its version is still `version`. A record in state finished gives up
    /// the upstream claim and is kept until remember_until; its answer is subject to eviction.
    /// secret_use stays what begin() reserved, but for its fate, which is settled once (Secrets).
    virtual asio::awaitable<AdvanceResult> advance(const TransactionKey& key, std::uint64_t version,
                                                   Record record) = 0;
    /// Forgets a transaction of which no octet left. Conflict if changed meanwhile.
    virtual asio::awaitable<AdvanceResult> release(const TransactionKey& key,
                                                   std::uint64_t version) = 0;

    /// Calls `changed` once (on any thread) when the record is no longer at `version`; returns 0 if
    /// it already is not, or if too many watch this one (bounded).
    using WatchId = std::uint64_t;
    virtual WatchId watch(const TransactionKey& key, std::uint64_t version,
                          std::function<void()> changed) = 0;
    virtual void unwatch(const TransactionKey& key, WatchId id) noexcept = 0;

    struct Sizes {
        std::size_t open = 0, remembered = 0, kept_octets = 0, watches = 0;
        std::size_t orphans = 0;  // entries of the ledger (S-04); 0 where there is none
    };
    [[nodiscard]] virtual Sizes sizes() const = 0;
    /// Why it cannot be used now (disk full, locked); empty: it can. Any thread.
    [[nodiscard]] virtual std::string fault() const { return {}; }
};

/// What went through this gateway and counts for later requests (S-14, S-33); policy says how.
/// Shared by all workers. Bounded: the oldest is forgotten first, and what is forgotten is not
/// refused.
struct Inventory {
    virtual ~Inventory() = default;

    struct Entry {
        policy::KeyHolder holder;
        std::uint64_t version = 0;  // never 0
    };
    /// The holder of a key (crypto::key_digest()). May be past its `until`.
    virtual asio::awaitable<std::optional<Entry>> find_key(const crypto::Sha256& key) = 0;
    /// Writes the holder if the entry is still at `version` (0: if there still is none). False:
    /// changed meanwhile. Where the implementation is durable, it is so no later than any change of
    /// the Store that begins after this returned: before anybody is told.
    virtual asio::awaitable<bool> put_key(const crypto::Sha256& key, std::uint64_t version,
                                          policy::KeyHolder holder) = 0;

    /// A certificate was revoked through this gateway; remembered until `until`.
    /// `issuer`: Name TLV, `serial`: INTEGER content.
    virtual asio::awaitable<void> add_revoked(ByteView issuer, ByteView serial, WallTime until) = 0;
    /// Asked for every verified message: answers from memory, a few nanoseconds while there is
    /// none. Past its `until` it may still answer true.
    [[nodiscard]] virtual bool is_revoked(ByteView issuer, ByteView serial) const = 0;

    struct Sizes {
        std::size_t keys = 0, revoked = 0;
    };
    [[nodiscard]] virtual Sizes sizes() const = 0;
};

/// A message on its way to the CA.
struct UpstreamMessage {
    ByteView der;  // borrowed until submit() returns
    std::optional<std::uint8_t>
        url;  // follow-ups: where the transaction began, nowhere else (S-06)
    cmp::BodyType type{};
    Operation operation{};
    std::string_view label;
    Deadline deadline{};
    TraceId trace;
    std::string_view ticket;  // names it at an upstream that answers later; else empty
};
struct Answered {
    Bytes der;
    std::uint8_t url = 0;  // which of the upstream's URLs answered
};
/// It has the message and will answer later: collect().
struct Pending {};
using SubmitResult = std::variant<Answered, NotSent, Unknown, RejectedByTransport, Pending>;

/// A CA, or the next RA. One object per worker.
struct Upstream {
    virtual ~Upstream() = default;
    virtual asio::awaitable<SubmitResult> submit(UpstreamMessage message) = 0;

    /// Of an upstream that answers later (UpstreamSettings::check_after). The answer to a message
    /// it has, which stays there: Answered, Pending, or Unknown: it has neither message nor answer
    /// any more, as far as can be seen.
    virtual asio::awaitable<SubmitResult> collect(std::string_view /*ticket*/) {
        co_return Unknown{"ticket"};
    }
    /// What collect() brought was used (`refused_by` empty), or is none of the CA's answers, by
    /// this rule: another one may still come.
    virtual asio::awaitable<void> settle(std::string_view /*ticket*/,
                                         std::string_view /*refused_by*/) {
        co_return;
    }

    /// Closes idle connections, lets open exchanges end.
    virtual void close() noexcept {}
    /// Something of it could not be reached when last tried: tend() is to be called every second.
    [[nodiscard]] virtual bool needs_tending() const noexcept { return false; }
    /// Tries, without a message, whether it can be again.
    virtual asio::awaitable<void> tend() { co_return; }
};

/// Work that would block a worker (key derivation, slow signatures).
struct CpuPool {
    virtual ~CpuPool() = default;
    /// Runs `work` elsewhere; resumes on the caller's executor. False: the queue is full, not run.
    virtual asio::awaitable<bool> run(std::function<void()> work) = 0;
};

/// What the time of a message goes into.
enum class Stage : std::uint8_t {
    parse,     // and look up, select a profile
    origin,    // protection and chain
    decide,    // POP and rules
    store,     // claims, answers kept
    upstream,  // waiting for the CA
    answer,    // the CA's answer matched, our own built
};
inline constexpr std::size_t kStages = 6;

/// What is written down of each message: one log line, one metric, one audit record. Views and
/// octets are as received: whoever prints them escapes them.
struct Ended {
    TraceId trace;
    std::string_view peer;
    ListenerId listener{};
    std::string_view profile;              // empty: none selected
    std::optional<cmp::BodyType> request;  // nullopt: did not parse
    std::optional<cmp::BodyType> answer;   // nullopt: no CMP answer
    ByteView transaction_id;               // empty: none
    ByteView sender;                       // GeneralName TLV, a claim unless verified; empty: none
    std::optional<policy::Principal> principal;  // nullopt: origin not reached
    crypto::CertificatePtr approver;             // RA whose nested it came in; null: none (S-11)
    std::string_view treatment;                  // as configured; empty: not reached
    std::string_view decision;                   // "forwarded", "repeated", "refused", "failed"
    std::string_view rule;                       // of a refusal
    std::optional<cmp::PKIFailureInfo> fail_info;
    std::string detail;  // field, offset, reason; not for the peer
    std::string_view upstream;
    std::size_t octets_in = 0, octets_out = 0;
    bool verified = false;  // false: opaque or not reached
    std::chrono::nanoseconds total{}, upstream_wait{};
    std::array<std::chrono::nanoseconds, kStages> stages{};  // zero: not reached
    bool possibly_issued = false;  // ledger of possibly issued certificates (S-04)
    Quirks quirks;                 // of the CA, that its answer was let pass with

    /// SHA-256 of the octets as they came and went, where the audit wants them: what proves that a
    /// message was forwarded, and its answer delivered, unchanged. Absent: there were none.
    struct Digests {
        std::optional<crypto::Sha256> received, forwarded, answered, sent;
    } digests;
};
struct Audit {
    virtual ~Audit() = default;
    virtual void record(const Ended& ended) = 0;

    /// Whether write_down() is to be called instead of record(), with Ended::digests, which cost a
    /// microsecond for each KiB.
    [[nodiscard]] virtual bool is_durable() const noexcept { return false; }
    /// False: nothing may happen now, because it could not be written down (S-42).
    [[nodiscard]] virtual bool usable() const noexcept { return true; }
    /// Like record(), and durable when it returns; false: the answer must not go out.
    virtual asio::awaitable<bool> write_down(const Ended& ended) {
        record(ended);
        co_return true;
    }
};

}  // namespace ra::gateway
