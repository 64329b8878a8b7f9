#pragma once

#include <string>
#include <string_view>

#include "ra/app/config/config.h"

namespace ra::app {

/// The secrets of the gateway that a configuration describes, through its admin socket. JSON as in
/// secrets.h. Everything throws std::runtime_error or std::invalid_argument with what the operator
/// should know.
class SecretAccess {
public:
    explicit SecretAccess(const std::string& config_file);

    [[nodiscard]] std::string add(const std::string& order);
    [[nodiscard]] std::string list();
    [[nodiscard]] std::string revoke(const std::string& reference);

private:
    [[nodiscard]] std::string ask(std::string_view method, const std::string& path,
                                  std::string_view body = {}) const;
    config::Config config_;
};

}  // namespace ra::app
