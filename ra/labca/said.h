#pragma once

#include "ra/cmp/build.h"
#include "ra/labca/lab_ca.h"

namespace ra::labca {

/// What an answer says beside what every answer does. For ra/labca only.
struct LabCa::Said {
    Bytes body;   // TLV
    Bytes nonce;  // senderNonce
    bool implicit_confirm = false;
    std::optional<WallTime> confirm_wait_time;
};

/// A transactionID reserved for as long as this lives, unless the transaction goes on.
class LabCa::Claimed {
public:
    Claimed(Transactions& transactions, ByteView transaction_id) noexcept
        : transactions_{transactions}, transaction_id_{transaction_id} {}
    Claimed(const Claimed&) = delete;
    Claimed& operator=(const Claimed&) = delete;
    ~Claimed() {
        if (ends_) transactions_.end(transaction_id_);
    }
    void goes_on(Transaction transaction) {
        ends_ = false;
        transactions_.put(transaction_id_, std::move(transaction));
    }

private:
    Transactions& transactions_;
    ByteView transaction_id_;
    bool ends_ = true;
};

/// PKIStatusInfo of a rejection.
[[nodiscard]] inline Bytes rejection(const Refused& refused) {
    return cmp::build_status_info(cmp::PKIStatus::rejection, refused.info, refused.text);
}

inline constexpr std::size_t kNonceOctets = 16;

}  // namespace ra::labca
