#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "ra/base/secret.h"

namespace transports::coap {

/// Pre-shared keys by identity, at one moment: immutable, so that the thread of the handshakes has
/// nothing to do with the store they are of.
class PskTable {
public:
    /// RFC 9483 6.1: below 128 bits of entropy a PSK can be guessed from one recorded handshake.
    static constexpr std::size_t kLeastOctets = 16;

    /// False: shorter than kLeastOctets, or with a NUL in the identity, which DTLS 1.2 in OpenSSL
    /// does not carry.
    bool add(ra::ByteView identity, ra::Secret key) {
        const std::string name{ra::as_text(identity)};
        if (key.reveal().size() < kLeastOctets || name.find('\0') != std::string::npos)
            return false;
        keys_[name] = std::move(key);
        return true;
    }
    [[nodiscard]] std::optional<ra::ByteView> find(ra::ByteView identity) const {
        const auto found = keys_.find(ra::as_text(identity));
        if (found == keys_.end()) return std::nullopt;
        return found->second.reveal();
    }
    [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }

private:
    std::map<std::string, ra::Secret, std::less<>> keys_;
};
using PskTablePtr = std::shared_ptr<const PskTable>;

}  // namespace transports::coap
