#include "ra/app/ledger_endpoints.h"

#include <algorithm>
#include <charconv>

#include "ra/app/audit_trail.h"

namespace ra::app {
namespace {

using admin::Request;
using admin::Response;
using admin::Role;
using boost::asio::awaitable;

constexpr std::size_t kMostReason = 256;

awaitable<Response> clear_one(ClearOrphan clear, Log& log, AuditTrail* trail, Request request) {
    const auto id = parse_orphan_id(request.rest);
    const std::string reason{as_text(request.body)};
    if (!id) co_return Response::fault(400, "an entry of the ledger is named by its number");
    if (!is_reason(reason))
        co_return Response::fault(400, "say why, in 1 to 256 octets on one line (--reason)");
    if (trail != nullptr) {
        const std::string fields = ",\"id\":" + std::to_string(*id) +
                                   ",\"by\":" + admin::json_text(request.caller.name) +
                                   ",\"reason\":" + admin::json_text(reason);
        if (!co_await trail->write("orphan-cleared", fields))
            co_return Response::fault(503, "the audit trail cannot be written; nothing is cleared");
    }
    const auto cleared = co_await clear(*id);
    if (!cleared) co_return Response::fault(503, "the store takes nothing now");
    if (!*cleared) co_return Response::fault(404, "the ledger has no entry with this number");
    log.write(Log::Level::warning, "orphan_cleared",
              {{"id", *id},
               {"by", std::string_view{request.caller.name}},
               {"reason", std::string_view{reason}}});
    co_return Response::json("{\"cleared\":" + std::to_string(*id) + "}\n");
}

}  // namespace

std::optional<std::int64_t> parse_orphan_id(std::string_view text) noexcept {
    std::int64_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc{} || end != text.data() + text.size() || id <= 0) return std::nullopt;
    return id;
}

bool is_reason(std::string_view reason) noexcept {
    return !reason.empty() && reason.size() <= kMostReason &&
           std::none_of(reason.begin(), reason.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

void add_ledger_endpoints(admin::Admin& admin, ClearOrphan clear, Log& log, AuditTrail* trail) {
    admin.add("DELETE", "/orphans/*", Role::approve,
              [clear = std::move(clear), &log, trail](Request request) {
                  return clear_one(clear, log, trail, std::move(request));
              });
}

}  // namespace ra::app
