#pragma once

#include <map>
#include <set>
#include <string>

#include "ra/gateway/ports.h"
#include "tests/sim/faults.h"
#include "tests/sim/kernel.h"
#include "tests/support/messages.h"
#include "tests/support/pki.h"

namespace test::sim {

/// How an answer is made wrong. The last three only matter where protection is verified.
enum class Twist : std::uint8_t {
    none,
    truncated,
    junk,
    recip_nonce,
    transaction_id,
    body_type,
    unprotected,
    device_signs,
    foreign_certificate,
};

/// How a device's messages are protected and go upstream; each has a listener and a profile of its
/// own, by this number.
enum class Way : std::uint16_t { bare, opaque, nested, reprotected };
inline constexpr std::uint64_t kWays = 4;
[[nodiscard]] constexpr bool is_signed(Way way) noexcept { return way != Way::opaque; }

/// A CA as far as the gateway sees it: certificates, delay, rejection, confirmation. Remembers what
/// it was asked and throws std::logic_error where that must not have been asked (S-04), or are not
/// the octets a device sent.
class SimCa {
public:
    SimCa(Kernel& kernel, const Faults& faults) noexcept : kernel_{kernel}, faults_{faults} {}

    /// A device is about to send this.
    void expect(const ra::Bytes& octets, Way way);
    [[nodiscard]] ra::Bytes answer(ra::ByteView request, Twist twist);

    /// Did this CA say this, and meant it? Re-protected: its words under the gateway's signature.
    [[nodiscard]] bool said(const ra::Bytes& octets, Way way) const;
    [[nodiscard]] std::size_t issued() const noexcept { return issued_; }
    [[nodiscard]] std::size_t confirmed() const noexcept { return confirmed_; }

private:
    struct Transaction {
        std::size_t device = 0;
        unsigned polls_left = 0;
        bool implicit = false;
    };
    ra::cmp::PKIMessage receive(ra::ByteView octets) const;
    ra::Bytes begin(const ra::cmp::PKIMessage& request, Transaction& transaction);
    ra::Bytes grant(const Transaction& transaction, Twist twist);

    Kernel& kernel_;
    const Faults& faults_;
    std::map<ra::Bytes, Way> sent_, sent_words_;  // octets; what remains of re-protected ones
    std::set<ra::Bytes> said_, said_words_;
    std::map<ra::Bytes, Transaction> transactions_;  // by senderKID and transactionID
    std::set<ra::Bytes> intents_;                    // state-changing requests seen, by their words
    std::size_t issued_ = 0, confirmed_ = 0;
};

/// The way to the CA, with all that happens on it.
class SimUpstream final : public ra::gateway::Upstream {
public:
    SimUpstream(Kernel& kernel, const Faults& faults, SimCa& ca) noexcept
        : kernel_{kernel}, faults_{faults}, ca_{ca} {}
    asio::awaitable<ra::gateway::SubmitResult> submit(
        ra::gateway::UpstreamMessage message) override;

private:
    Kernel& kernel_;
    const Faults& faults_;
    SimCa& ca_;
};

}  // namespace test::sim
