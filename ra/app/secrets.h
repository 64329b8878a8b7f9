#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "ra/base/random.h"
#include "ra/gateway/secrets.h"

/// What operators do with enrolment secrets, as JSON in and out: by the admin socket of a running
/// gateway and by `cmpgate secret` on the store of a stopped one.
namespace ra::app {

/// What is to be made.
struct SecretOrder {
    std::string reference;  // empty: generated
    Secret own;             // empty: generated, which is better (S-22)
    std::string profile;    // empty: any
    std::optional<std::uint32_t> uses = 1;
    std::optional<WallTime> expires;
};

/// {"reference": "…", "secret": "…", "profile": "…", "uses": 1, "expires": "2027-01-31"}, all of
/// them optional; "uses": 0 is any number; "expires" also as a duration from `now`: "7d". Throws
/// std::invalid_argument.
[[nodiscard]] SecretOrder parse_secret_order(std::string_view json, WallTime now);
/// A time, or a duration from `now`. Throws std::invalid_argument.
[[nodiscard]] WallTime parse_expiry(std::string_view text, WallTime now);

/// A secret was not made or found; what() says why.
struct SecretFault : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Makes it. What the device needs, as a JSON object with "reference" and, if generated, "secret":
/// the only time that is told. Throws SecretFault, std::invalid_argument.
[[nodiscard]] boost::asio::awaitable<std::string> add_secret(gateway::Secrets& secrets,
                                                             SecretOrder order, Random& random,
                                                             WallTime now);
/// A JSON array, without the secrets themselves.
[[nodiscard]] boost::asio::awaitable<std::string> list_secrets(gateway::Secrets& secrets,
                                                               WallTime now);
/// A JSON object. Throws SecretFault: there is none.
[[nodiscard]] boost::asio::awaitable<std::string> revoke_secret(gateway::Secrets& secrets,
                                                                std::string_view reference);

}  // namespace ra::app
