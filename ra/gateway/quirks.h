#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>

namespace ra::gateway {

/// What single CAs do otherwise than the RFCs say, let pass where an upstream lists it (`quirks`).
/// None of them makes anybody an authority who is none (S-12), delivers anything to trust (S-13),
/// or gives a certificate out.
enum class Quirk : std::uint8_t {
    pvno_1_error,          // `error` with pvno cmp1999(1)
    no_digital_signature,  // the responder's certificate has keyUsage without digitalSignature
    sender_mismatch,       // sender is not the subject of the responder's certificate
    sender_kid_mismatch,   // senderKID is not its subjectKeyIdentifier
    unprotected_refusal,   // a negative answer without protection
    unprotected_pkiconf,   // pkiConf without protection
};
inline constexpr std::size_t kQuirks = 6;

/// As the configuration, the log and metrics write it.
inline constexpr std::string_view kQuirkNames[kQuirks] = {
    "pvno-1-error",        "no-digital-signature", "sender-mismatch",
    "sender-kid-mismatch", "unprotected-refusal",  "unprotected-pkiconf",
};

[[nodiscard]] constexpr std::string_view to_string(Quirk quirk) noexcept {
    return kQuirkNames[static_cast<std::size_t>(quirk)];
}

/// A set of them.
class Quirks {
public:
    [[nodiscard]] bool has(Quirk quirk) const noexcept {
        return set_.test(static_cast<std::size_t>(quirk));
    }
    void add(Quirk quirk) noexcept { set_.set(static_cast<std::size_t>(quirk)); }
    void add(const Quirks& others) noexcept { set_ |= others.set_; }
    [[nodiscard]] bool any() const noexcept { return set_.any(); }
    friend bool operator==(const Quirks&, const Quirks&) = default;

private:
    std::bitset<kQuirks> set_;
};

}  // namespace ra::gateway
