#pragma once

#include <functional>
#include <optional>

#include "ra/admin/admin.h"
#include "ra/app/log.h"

namespace ra::app {

class AuditTrail;

/// Clears an entry of the ledger (Server::clear_orphan()).
using ClearOrphan = std::function<boost::asio::awaitable<std::optional<bool>>(std::int64_t)>;

/// DELETE /orphans/ID, for who may decide on requests: an entry of the ledger of possibly issued
/// certificates goes, because somebody has looked at the CA. The body says what was found there;
/// who, what and why go to the log, and to the audit trail before the entry goes (S-42). All
/// outlive `admin`; `trail` may be null.
void add_ledger_endpoints(admin::Admin& admin, ClearOrphan clear, Log& log, AuditTrail* trail);

/// "ID" of an entry; nullopt: no such number.
[[nodiscard]] std::optional<std::int64_t> parse_orphan_id(std::string_view text) noexcept;

/// Whether `reason` can stand in a line: 1 to 256 octets, no control characters.
[[nodiscard]] bool is_reason(std::string_view reason) noexcept;

}  // namespace ra::app
