#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>

#include "ra/app/bench/messages.h"
#include "ra/base/random.h"
#include "ra/exchange.h"

namespace ra::app::bench {

/// A CA that costs as little as it can: ip to ir, cp to cr, pkiConf to certConf, each `delay` after
/// it came. It verifies nothing and remembers nothing. With a PKI its answers carry a certificate
/// for the key asked for and are signed by the responder; without one they were made beforehand
/// and are protected in looks only. One object a worker.
class TestCa final : public Exchange {
public:
    TestCa(std::shared_ptr<const TestPki> pki, std::chrono::milliseconds delay);

    asio::awaitable<Reply> exchange(Arrival arrival) override;

private:
    struct Prebuilt {
        Template ip, confirmed_ip, cp, confirmed_cp, pkiconf;
    };

    [[nodiscard]] Bytes answer(const cmp::PKIMessage& request);
    [[nodiscard]] Bytes prebuilt(const cmp::PKIMessage& request) const;
    [[nodiscard]] Bytes signed_answer(const cmp::PKIMessage& request);
    [[nodiscard]] ByteView certificate_for(const cmp::PKIMessage& request);

    std::shared_ptr<const TestPki> pki_;
    std::chrono::milliseconds delay_;
    std::optional<Prebuilt> prebuilt_;  // without a PKI
    SystemRandom random_;
    std::map<Bytes, Bytes> issued_;  // by SubjectPublicKeyInfo: devices ask again and again
};

/// Serves one at `port` of 127.0.0.1 (0: any) with `threads` workers, prints "listening on PORT"
/// and ends with SIGTERM or SIGINT. Throws std::runtime_error.
int serve_test_ca(std::uint16_t port, std::chrono::milliseconds delay, unsigned threads,
                  std::shared_ptr<const TestPki> pki);

}  // namespace ra::app::bench
