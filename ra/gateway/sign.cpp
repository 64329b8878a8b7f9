#include "ra/gateway/sign.h"

namespace ra::gateway {

asio::awaitable<Outcome<Bytes>> sign(CpuPool& cpu, const crypto::Credential& credential,
                                     crypto::Unprotected message) {
    constexpr std::chrono::microseconds kInline{200};
    Result<Bytes> made = fail(Errc::unavailable, "protection");
    if (credential.key->sign_cost() < kInline) {
        made = crypto::sign_message(credential, message);
    } else {
        const auto work = [&made, &credential, &message] {
            made = crypto::sign_message(credential, message);
        };
        const bool ran = co_await cpu.run(work);
        if (!ran) co_return Failure{Busy{"cpu"}};
    }
    if (!made) {
        co_return Failure{UpstreamFault{"signature", cmp::PKIFailureInfo::systemFailure,
                                        "credential " + credential.name + " does not sign", false}};
    }
    co_return std::move(*made);
}

}  // namespace ra::gateway
