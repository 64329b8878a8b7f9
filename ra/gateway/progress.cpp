#include "ra/gateway/progress.h"

#include "ra/cmp/build.h"
#include "ra/gateway/sign.h"
#include "ra/gateway/treat.h"

namespace ra::gateway {

using cmp::BodyType;
using cmp::PKIFailureInfo;
using cmp::PKIStatus;

void Progress::took(const cmp::PKIMessage& message) {
    const cmp::PKIHeader& header = message.header;
    ended.request = message.type;
    if (header.transaction_id) transaction_id = *header.transaction_id;
    if (header.sender_nonce) sender_nonce = *header.sender_nonce;
    sender = to_bytes(header.sender);
    pvno = header.pvno;
    if (message.type == BodyType::p10cr) cert_req_id = -1;
}

void Progress::took(const cmp::Salvage& salvage) {
    transaction_id = salvage.transaction_id;
    sender_nonce = salvage.sender_nonce;
    pvno = salvage.pvno;
}

void describe(const Failure& failure, Ended& ended) {
    struct Describe {
        Ended& ended;
        void operator()(const Error& error) const {
            ended.rule = "parse";
            ended.fail_info = PKIFailureInfo::badDataFormat;
            ended.detail = std::string(to_string(error.code)) + " in " + std::string(error.field) +
                           " at octet " + std::to_string(error.offset);
            ended.decision = "refused";
        }
        void operator()(const policy::Refuse& refuse) const {
            ended.rule = refuse.rule;
            ended.fail_info = refuse.fail_info;
            ended.detail = refuse.detail;
            ended.decision = "refused";
        }
        void operator()(const UpstreamFault& fault) const {
            ended.rule = fault.rule;
            ended.fail_info = fault.fail_info;
            ended.detail = fault.detail;
            ended.possibly_issued = fault.possibly_issued;
            ended.decision = "failed";
        }
        void operator()(const Busy& busy) const {
            ended.rule = "overload";
            ended.detail = std::string(busy.bound);
            ended.decision = "failed";
        }
    };
    std::visit(Describe{ended}, failure);
}

std::optional<BodyType> specific_response(BodyType request) noexcept {
    switch (request) {
        case BodyType::ir:
            return BodyType::ip;
        case BodyType::cr:
        case BodyType::p10cr:
            return BodyType::cp;
        case BodyType::kur:
            return BodyType::kup;
        case BodyType::ccr:
            return BodyType::ccp;
        case BodyType::rr:
            return BodyType::rp;
        default:
            return std::nullopt;
    }
}

namespace {

constexpr std::uint8_t kLowestPvno = 2;
constexpr std::uint8_t kHighestPvno = 3;

Bytes build_body(const Progress& progress, const Failure& failure, PKIFailureInfo info) {
    // The reason stays in our log; the trace id leads to it.
    const std::string text =
        progress.settings.hop + ": request refused; trace " + progress.ended.trace.text();
    const Bytes status = cmp::build_status_info(PKIStatus::rejection, info, text);
    const auto* refuse = std::get_if<policy::Refuse>(&failure);
    if (refuse != nullptr && refuse->in_body && progress.ended.request) {
        const auto type = specific_response(*progress.ended.request);
        if (type == BodyType::rp) return cmp::build_rev_rep_body(status);
        if (type) return cmp::build_cert_rep_body(*type, progress.cert_req_id, status);
    }
    return cmp::build_error_body(status);
}

crypto::Unprotected own_message(const Progress& progress, ByteView body, ByteView sender_nonce,
                                WallTime now) {
    crypto::Unprotected out;
    cmp::HeaderFields& fields = out.header;
    fields.pvno = std::min(std::max(progress.pvno, kLowestPvno), kHighestPvno);
    fields.recipient = progress.sender;
    fields.message_time = now;
    fields.transaction_id = progress.transaction_id;
    fields.sender_nonce = sender_nonce;
    fields.recip_nonce = progress.sender_nonce;
    out.body[0] = body;
    return out;
}

}  // namespace

asio::awaitable<OwnAnswer> build_own_answer(const Progress& progress, ByteView body,
                                            ByteView sender_nonce,
                                            const crypto::Credential* credential,
                                            const Services& services) {
    const crypto::Unprotected message =
        own_message(progress, body, sender_nonce, services.clock.wall_now());
    if (progress.mac != nullptr) {
        auto made = protect_with(*progress.mac, message);
        co_return OwnAnswer{made ? std::move(*made) : Bytes{}, false};
    }
    if (credential == nullptr) co_return OwnAnswer{};
    auto made = co_await sign(services.cpu, *credential, message);
    const bool overloaded = !made && std::holds_alternative<Busy>(made.error());
    co_return OwnAnswer{made ? std::move(*made) : Bytes{}, overloaded};
}

/// The one whose answers this transaction has seen, else the current one.
crypto::CredentialPtr reply_credential(const Progress& progress) {
    const Settings& settings = progress.settings;
    if (!progress.held) return settings.reply_credential;
    auto pinned = find_credential(settings, settings.reply_credential,
                                  progress.held->record.answer_credential);
    return pinned != nullptr ? pinned : settings.reply_credential;
}

asio::awaitable<Reply> build_error_reply(const Progress& progress, const Failure& failure,
                                         bool may_sign, const Services& services) {
    if (std::holds_alternative<Busy>(failure)) co_return Overloaded{};

    const PKIFailureInfo info = progress.ended.fail_info.value_or(PKIFailureInfo::systemFailure);
    const Bytes body = build_body(progress, failure, info);
    const crypto::CredentialPtr credential = may_sign ? reply_credential(progress) : nullptr;

    const Bytes nonce = services.random.octets(16);
    OwnAnswer made = co_await build_own_answer(progress, body, nonce, credential.get(), services);
    if (made.overloaded) co_return Overloaded{};
    Bytes der = std::move(made.der);
    // better an unprotected error than none.
    if (der.empty()) {
        const auto bare = own_message(progress, body, nonce, services.clock.wall_now());
        der = cmp::build_pki_message(cmp::build_header(bare.header), body, {}, {});
    }

    if (std::holds_alternative<Error>(failure) && progress.transaction_id.empty()) {
        co_return NotCmp{NotCmp::Why::malformed, std::move(der)};
    }
    co_return Answer{std::move(der)};
}

}  // namespace ra::gateway
