#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "transports/common/tls_context.h"

namespace test {

/// What a certificate of the tests says.
struct TlsCertificate {
    std::string common_name = "localhost";
    std::vector<std::string> dns = {"localhost"};
    std::vector<std::string> ip = {};
    std::chrono::hours from{-1};  // from now
    std::chrono::hours until{24};
    bool ca = false;
};

/// An authority made for one test (P-256), and what it issues, as PEM.
class TlsAuthority {
public:
    explicit TlsAuthority(const std::string& name);
    ~TlsAuthority();

    [[nodiscard]] ra::Bytes root() const;
    [[nodiscard]] transports::common::TlsIdentity issue(const TlsCertificate& what) const;
    /// A CRL with the certificates of those identities, until so long from now.
    [[nodiscard]] ra::Bytes crl(const std::vector<const transports::common::TlsIdentity*>& revoked,
                                std::chrono::hours until = std::chrono::hours{24}) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace test
