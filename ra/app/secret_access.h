#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "ra/app/config/config.h"
#include "ra/base/random.h"
#include "ra/gateway/secrets.h"

namespace ra::app {

/// The secrets of the gateway that a configuration describes: through the admin socket where it
/// runs, else in its store, whose lock this process holds meanwhile. JSON as in secrets.h.
/// Everything throws std::runtime_error or std::invalid_argument with what the operator should
/// know.
class SecretAccess {
public:
    explicit SecretAccess(const std::string& config_file);

    [[nodiscard]] std::string add(const std::string& order);
    [[nodiscard]] std::string list();
    [[nodiscard]] std::string revoke(const std::string& reference);

private:
    using Task = std::function<boost::asio::awaitable<std::string>(gateway::Secrets&, Random&)>;
    [[nodiscard]] std::string ask_or_do(std::string_view method, const std::string& path,
                                        std::string_view body, const Task& task) const;
    [[nodiscard]] std::string run_on_store(const Task& task) const;
    config::Config config_;
};

}  // namespace ra::app
