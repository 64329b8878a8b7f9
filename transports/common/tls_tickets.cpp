#include "transports/common/tls_tickets.h"

#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

#include "ra/base/secret.h"

namespace transports::common {
namespace {

TlsTicketKeys::Key make_key(ra::BootTime now) {
    TlsTicketKeys::Key key;
    key.made = now;
    if (RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) != 1 ||
        RAND_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) != 1 ||
        RAND_bytes(key.mac.data(), static_cast<int>(key.mac.size())) != 1) {
        throw std::runtime_error("no randomness for session ticket keys");
    }
    return key;
}

}  // namespace

TlsTicketKeys::Key::~Key() {
    ra::wipe(cipher.data(), cipher.size());
    ra::wipe(mac.data(), mac.size());
}

TlsTicketKeys::TlsTicketKeys(ra::BootTime now) : current_{make_key(now)} {}

void TlsTicketKeys::rotate(ra::BootTime now) {
    if (now - current_.made >= kLifetime) {
        last_ = current_;
        current_ = make_key(now);
    }
    if (last_ && now - last_->made >= 2 * kLifetime) last_.reset();
}

TlsTicketKeys::Key TlsTicketKeys::sealing(ra::BootTime now) {
    const std::lock_guard lock{mutex_};
    rotate(now);
    return current_;
}

std::optional<TlsTicketKeys::Found> TlsTicketKeys::opening(std::span<const std::uint8_t> name,
                                                           ra::BootTime now) {
    const std::lock_guard lock{mutex_};
    rotate(now);
    if (std::ranges::equal(name, current_.name)) return Found{current_, false};
    if (last_ && std::ranges::equal(name, last_->name)) return Found{*last_, true};
    return std::nullopt;
}

}  // namespace transports::common
