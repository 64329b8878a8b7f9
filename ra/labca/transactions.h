#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "ra/crypto/mac.h"
#include "ra/labca/request.h"

namespace ra::labca {

/// Who protected a message, as one comparable value: digest of the certificate, or the reference.
using Principal = Bytes;

/// One operation between its first answer and its end.
struct Transaction {
    Principal principal;
    crypto::CertificatePtr signer;  // for follow-ups without extraCerts; null: MAC
    Bytes our_nonce;                // senderNonce of our last answer
    bool implicit_confirm = false;  // asked for and to be granted
    unsigned polls_left = 0;
    std::optional<Wanted> delayed;  // issued when the polls are used up
    std::int64_t cert_req_id = 0;
    Bytes certificate;  // delivered, certConf awaited
    BootTime until{};
};

/// The open transactions by transactionID, whoever began them: nobody else may use it meanwhile
/// . Bounded in count and time. Any thread; a transaction is taken out while a message of
/// it is handled, and refused to a second one.
class Transactions {
public:
    explicit Transactions(std::size_t most) noexcept : most_{most} {}

    enum class Claim : std::uint8_t { begun, in_use, full };
    /// Reserves a transactionID for a new operation that ends, if nothing else, at `until`.
    [[nodiscard]] Claim begin(ByteView transaction_id, BootTime until, BootTime now);

    enum class Taken : std::uint8_t { taken, gone, foreign, wrong_nonce };
    /// A copy, to verify with before anything changes; nullopt: none, or being handled.
    [[nodiscard]] std::optional<Transaction> find(ByteView transaction_id, BootTime now);
    /// Takes it for the message whose recipNonce is `our_nonce` and whose protection verified as
    /// `principal`'s. Not taken: gone, another's, or another nonce; nothing changed.
    [[nodiscard]] Taken take(ByteView transaction_id, const Principal& principal,
                             ByteView our_nonce, Transaction& into);
    /// Puts it back, for the next message.
    void put(ByteView transaction_id, Transaction transaction);
    void end(ByteView transaction_id);

    [[nodiscard]] std::size_t size() const;

private:
    struct Entry {
        BootTime until{};
        std::optional<Transaction> waiting;  // nullopt: a message of it is being handled
    };
    void expire(BootTime now);

    const std::size_t most_;
    mutable std::mutex lock_;
    std::map<Bytes, Entry> open_;
    std::set<std::pair<BootTime, Bytes>> ends_;
};

}  // namespace ra::labca
