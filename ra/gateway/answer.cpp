#include "ra/gateway/answer.h"

#include "ra/gateway/cert_req_id.h"
#include "ra/gateway/sign.h"
#include "ra/gateway/treat.h"

namespace ra::gateway {

asio::awaitable<Outcome<Bytes>> protect_answer(const cmp::PKIMessage& answer, const Record& record,
                                               ByteView recipient, AnswerProtection protection,
                                               WallTime now, CpuPool& cpu) {
    crypto::Unprotected out;
    out.header = same_header(answer.header, now);
    out.header.recipient = recipient;
    if (!protection.recip_nonce.empty()) out.header.recip_nonce = protection.recip_nonce;
    out.header.recip_kid = {};  // a name of the CA's for our key
    out.more_certs = answer.extra_certs;
    Bytes body;
    out.body[0] = answer.body;
    if (record.sent_as_cr) {
        body = with_cert_req_id(answer, -1);
        out.body[0] = body;
    }
    if (protection.mac != nullptr) {
        auto made = protect_with(*protection.mac, out);
        if (made) co_return std::move(*made);
        co_return Failure{UpstreamFault{"signature", cmp::PKIFailureInfo::systemFailure,
                                        "the request's MAC cannot be computed any more", false}};
    }
    if (protection.credential == nullptr) {
        co_return Failure{UpstreamFault{"credential-gone", cmp::PKIFailureInfo::systemFailure,
                                        "the credential this transaction began with is not here",
                                        false}};
    }
    auto made = co_await sign(cpu, *protection.credential, out);
    if (made || !std::holds_alternative<Busy>(made.error())) co_return made;
    // No room on the pool: a certificate that was issued must not be lost for that.
    auto here = crypto::sign_message(*protection.credential, out);
    if (here) co_return std::move(*here);
    co_return made;
}

}  // namespace ra::gateway
