#pragma once

#include <array>
#include <cstdint>

#include "ra/cmp/message.h"

/// The messages of the bench: made once, then only their transactionIDs and nonces change, so
/// that neither the load nor the test CA costs what the gateway costs.
namespace bench {

/// A PKIMessage whose ids are overwritten in place.
class Template {
public:
    using Id = std::array<std::uint8_t, 16>;

    /// `der` holds the marks below where the ids go.
    explicit Template(ra::Bytes der);
    [[nodiscard]] const ra::Bytes& der() const noexcept { return der_; }
    /// Appends a copy with these ids to `out`. What the template has no place for is ignored.
    template <class Buffer>
    void append(Buffer& out, ra::ByteView transaction_id, ra::ByteView sender_nonce,
                ra::ByteView recip_nonce) const {
        const std::size_t start = out.size();
        out.insert(out.end(), der_.begin(), der_.end());
        put(out, start, transaction_at_, transaction_id);
        put(out, start, sender_at_, sender_nonce);
        put(out, start, recip_at_, recip_nonce);
    }

    static Id transaction_mark();
    static Id sender_mark();
    static Id recip_mark();

private:
    static constexpr std::size_t kNowhere = SIZE_MAX;
    template <class Buffer>
    static void put(Buffer& out, std::size_t start, std::size_t at, ra::ByteView id) {
        if (at == kNowhere) return;
        for (std::size_t i = 0; i < id.size() && i < Id{}.size(); ++i) {
            out[start + at + i] = static_cast<typename Buffer::value_type>(id[i]);
        }
    }

    ra::Bytes der_;
    std::size_t transaction_at_, sender_at_, recip_at_;
};

/// ir of about 600 octets; its protection is random octets: for profiles that do not look.
[[nodiscard]] Template opaque_ir(bool implicit_confirm);
[[nodiscard]] Template opaque_cert_conf();
/// ip of about 1 KiB with one certificate.
[[nodiscard]] Template opaque_ip(bool implicit_confirm);
[[nodiscard]] Template opaque_pkiconf();

}  // namespace bench
