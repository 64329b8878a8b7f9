#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ra/labca/lab_ca.h"

namespace test {

/// What a CA's answer may have wrong with it. All but the unprotected, truncated and foreign-signer
/// ones carry a correct signature of the CA's responder.
enum class AnswerFault : std::uint8_t {
    none,
    wrong_recip_nonce,
    foreign_transaction_id,
    wrong_body_type,
    foreign_certificate,  // issued by the CA, to the subject asked for, for another key
    device_as_ca,         // signed by a device of the same CA
    stranger_as_ca,       // signed under a root nobody configured
    bad_signature,
    unprotected_error,
    unprotected_answer,
    truncated,
    ca_pubs,  // with a certificate nobody listed
    implicit_confirm_unasked,
    status_inconsistent,  // rejection with a certificate
};

/// "wrong-recip-nonce" and so on; nullopt: no such fault.
[[nodiscard]] std::optional<AnswerFault> answer_fault(std::string_view name);
[[nodiscard]] std::vector<std::string_view> answer_fault_names();

/// Hands every message to a lab CA, and its answer back with a fault. Any thread, as LabCa.
class MisbehavingCa final : public ra::Exchange {
public:
    /// `ca` outlives it.
    MisbehavingCa(ra::labca::LabCa& ca, AnswerFault fault);

    boost::asio::awaitable<ra::Reply> exchange(ra::Arrival arrival) override;

private:
    [[nodiscard]] ra::Bytes spoil(ra::ByteView answer);
    [[nodiscard]] ra::Bytes spoil_body(const ra::cmp::PKIMessage& answer);
    [[nodiscard]] ra::Bytes with_certificate(const ra::cmp::PKIMessage& answer,
                                             ra::ByteView certificate, ra::cmp::PKIStatus status,
                                             ra::ByteView ca_pubs);

    ra::labca::LabCa& ca_;
    const AnswerFault fault_;
    ra::crypto::CredentialPtr device_;  // of the same CA, not its responder
    ra::SystemClock clock_;
    ra::SystemRandom random_;
    ra::labca::LabCa stranger_;  // another CA altogether
};

}  // namespace test
