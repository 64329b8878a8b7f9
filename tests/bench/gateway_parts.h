#pragma once

#include <string>
#include <string_view>

#include "ra/gateway/gateway.h"
#include "ra/gateway/ports.h"

/// What a gateway without its program needs.
namespace bench {

/// Of a configuration in TOML, without `version` and listener. Throws std::runtime_error.
[[nodiscard]] ra::gateway::SettingsPtr settings_of(const std::string& text);
/// One upstream, "ca", and one profile that relays to it what it does not verify.
inline constexpr std::string_view kOpaque = R"(
[[upstream]]
name = "ca"
url = "http://127.0.0.1:9/"
[[profile]]
name = "all"
origin = "opaque"
upstream = "ca"
)";

/// Everything is to be forwarded; what was not is told by `wrong`.
struct NoAudit final : ra::gateway::Audit {
    void record(const ra::gateway::Ended& ended) override;
    std::string wrong;
};

struct NoCpuPool final : ra::gateway::CpuPool {
    ra::asio::awaitable<bool> run(std::function<void()>) override { co_return false; }
};

}  // namespace bench
