#include "transports/coap/desk.h"

#include <algorithm>
#include <utility>

#include "transports/coap/slices.h"
#include "transports/coap/statuses.h"

namespace transports::coap {
namespace {

constexpr unsigned kFewTransmissions = 3;          // to where nobody may have asked
constexpr std::uint32_t kSoon = 2;                 // Max-Age of a 5.03, seconds
constexpr std::uint32_t kObserveMask = 0xffffffU;  // the option has three octets
constexpr std::string_view kWhereToLook = "see /.well-known/core";

std::string joined(const std::vector<std::string_view>& segments) {
    std::string path;
    for (const std::string_view segment : segments) (path += segment) += '/';
    return path;
}

Response head_of(const Call& call) {
    Response response;
    response.code = call.code;
    response.content_format = call.content_format;
    response.max_age = call.max_age;
    return response;
}

}  // namespace

Desk::Desk(DeskSettings settings, ra::Random& random)
    : peers_{settings.peers, random},
      partials_{settings.bodies},
      calls_{settings.calls, random},
      observers_{settings.observers} {
    use(std::move(settings));
}

void Desk::use(DeskSettings settings) {
    settings_ = std::move(settings);
    bases_ = served_bases(settings_.aliases);
    links_ = describe_links(settings_.aliases, settings_.labels);
    partials_.use(settings_.bodies);
    observers_.use(settings_.observers);
}

Desk::Action Desk::take(const Request& request, ra::BootTime now) {
    validated_ = peers_.received(request, now);
    now_ = now;
    const Calls::Seen seen = calls_.seen(request);
    if (seen.before) return repeated(request, seen.call);
    if (request.code == Code::post) return post(request, now);
    if (request.code == Code::get) return get(request, now);
    return refuse(request, Code::method_not_allowed);
}

/// The same message again: our acknowledgement or our answer got lost.
Desk::Action Desk::repeated(const Request& request, const Call* call) {
    if (call == nullptr) return Wait{};
    if (!call->answered) return Wait{call->id};
    Response response = head_of(*call);
    response.block1 = call->block1;
    const Content content{call->content, call->id, call->szx, 0};
    (void)slice(response, content, std::nullopt);
    if (!validated_ && octets_of(response, request.token.size()) > peers_.credit(request.from))
        return Wait{};
    return charged(request, std::move(response));
}

Desk::Action Desk::post(const Request& request, ra::BootTime now) {
    auto facts = parse_path(request.path, bases_);
    if (!facts) return refuse(request, Code::not_found, kWhereToLook);
    if (facts->announcements) return refuse(request, Code::method_not_allowed);
    std::string path = joined(request.path);
    if (request.block2 && request.payload.empty() && !request.block1) {
        if (Call* call = calls_.answer_for(request, path)) return later_block(request, *call);
        if (request.block2->number != 0) return refuse(request, Code::request_incomplete);
    }
    if (request.content_format != kPkixCmp) return refuse(request, Code::unsupported_format);
    if (request.accept && *request.accept != kPkixCmp) return refuse(request, Code::not_acceptable);
    if (stopped_) return refuse(request, Code::service_unavailable);
    // So short a request leaves no room for an answer: is anybody there? (S-31)
    const bool alone = !request.block1 || (request.block1->number == 0 && !request.block1->more);
    const std::size_t room = Peers::kFactor * request.octets;
    if (!validated_ && alone && room < Block{}.size() + kOverhead) return challenge(request, now);

    Partials::Taken taken = partials_.take(request, path, now);
    switch (taken.stage) {
        case Partials::Stage::whole:
            return begin(request, std::move(*facts), path, std::move(taken), now);
        case Partials::Stage::more: {
            Response response;
            response.code = Code::continue_;
            response.block1 = request.block1;
            return charged(request, std::move(response));
        }
        case Partials::Stage::incomplete:
            return refuse(request, Code::request_incomplete);
        case Partials::Stage::too_large:
            return refuse(request, Code::request_too_large);
        case Partials::Stage::full:
            return refuse(request, Code::service_unavailable);
        case Partials::Stage::malformed:
            break;
    }
    return refuse(request, Code::bad_request);
}

Desk::Action Desk::begin(const Request& request, PathFacts facts, const std::string& path,
                         Partials::Taken taken, ra::BootTime now) {
    if (!calls_.has_room(request.from)) return refuse(request, Code::service_unavailable);
    Call call;
    call.from = request.from;
    call.path = path;
    call.request_tag = ra::to_bytes(request.request_tag);
    call.token = ra::to_bytes(request.token);
    call.confirmable = request.confirmable;
    call.reliable = request.reliable;
    call.counted = !request.validated;
    call.largest = request.reliable ? request.largest : 0;
    call.overhead = request.octets - std::min(request.octets, request.payload.size());
    if (request.block1) call.block1 = Block{request.block1->number, false, request.block1->szx};
    if (request.block2) call.szx = std::min(request.block2->szx, Block::kLargest);
    Begin begun;
    begun.id = calls_.begin(std::move(call), request.message_id, now);
    begun.body = std::move(taken.body);
    begun.label = std::move(facts.label);
    begun.operation = facts.operation;
    return begun;
}

Desk::Action Desk::later_block(const Request& request, Call& call) {
    Response response = head_of(call);
    const Content content{call.content, call.id, std::min(call.szx, affordable(request)), 0};
    if (!slice(response, content, request.block2)) return refuse(request, Code::bad_request);
    if (!response.block2->more) call.delivered = true;
    return charged(request, std::move(response));
}

Desk::Action Desk::get(const Request& request, ra::BootTime now) {
    const auto& path = request.path;
    if (path.size() == 2 && path[0] == ".well-known" && path[1] == "core") {
        if (request.accept && *request.accept != kLinkFormat)
            return refuse(request, Code::not_acceptable);
        Response response;
        response.code = Code::content;
        response.content_format = kLinkFormat;
        const Content content{ra::as_bytes(links_), links_.size(), affordable(request),
                              request.reliable ? request.largest : 0};
        if (!slice(response, content, request.block2)) return refuse(request, Code::bad_request);
        return charged(request, std::move(response));
    }
    const auto facts = parse_path(path, bases_);
    if (!facts) return refuse(request, Code::not_found, kWhereToLook);
    if (!facts->announcements) return refuse(request, Code::method_not_allowed);
    return get_announcement(request, now);
}

Desk::Action Desk::get_announcement(const Request& request, ra::BootTime now) {
    constexpr std::uint32_t kRegister = 0;
    constexpr std::uint32_t kDeregister = 1;
    if (request.accept && *request.accept != kPkixCmp) return refuse(request, Code::not_acceptable);
    // Who registers is sent to for a long time: it must be there (RFC 9175 2.4).
    const bool registers =
        request.observe == kRegister && (!request.block2 || request.block2->number == 0);
    if (registers && !validated_) return challenge(request, now);
    Response response;
    response.code = Code::content;
    if (registers && !stopped_ && observers_.add(request.from, request.token, now))
        response.observe = announced_;
    if (request.observe == kDeregister) observers_.remove(request.from, request.token);
    if (announcement_.empty()) return charged(request, std::move(response));
    response.content_format = kPkixCmp;
    const Content content{announcement_, announced_, affordable(request),
                          request.reliable ? request.largest : 0};
    if (!slice(response, content, request.block2)) return refuse(request, Code::bad_request);
    return charged(request, std::move(response));
}

std::optional<Desk::Sending> Desk::answer(CallId id, std::optional<ra::Reply> reply, Sent how,
                                          ra::BootTime now) {
    Call* call = calls_.find(id);
    if (call == nullptr) return std::nullopt;
    if (reply) {
        const Mapped mapped = map_reply(*reply);
        call->code = mapped.code;
        call->content_format = mapped.content_format;
        call->max_age = mapped.max_age;
        if (auto* answered = std::get_if<ra::Answer>(&*reply)) {
            call->content = std::move(answered->der);
        } else {
            call->content = ra::to_bytes(mapped.content);
        }
    } else {
        call->code = Code::internal_server_error;
    }
    calls_.answered(id, now);
    Sending sending;
    sending.to = call->from;
    sending.token = call->token;
    sending.confirmable = call->confirmable;
    if (how == Sent::in_acknowledgement) sending.transmissions = 1;
    const bool limited = call->counted && !peers_.validated(call->from, now);
    if (limited) limit(sending, *call);
    sending.response = head_of(*call);
    sending.response.block1 = call->block1;
    const Content content{call->content, call->id, call->szx, call->largest};
    (void)slice(sending.response, content, std::nullopt);
    call->delivered = !sending.response.block2 || !sending.response.block2->more;
    std::size_t octets = octets_of(sending.response, sending.token.size());
    const std::size_t credit = peers_.credit(call->from);
    if (limited && octets > credit) {
        // Nothing is left: who asks again with the cookie gets the answer that is kept.
        sending.response = {};
        sending.response.code = Code::unauthorized;
        sending.response.echo = peers_.echo_for(call->from, now);
        octets = octets_of(sending.response, sending.token.size());
    }
    if (limited) {
        const auto most = static_cast<unsigned>(credit / octets);
        sending.transmissions = std::clamp(most, 1U, sending.transmissions);
    }
    if (call->counted) peers_.sent(call->from, octets * sending.transmissions);
    return sending;
}

/// The answer goes to an address that may be somebody else's: no more than it has paid for, each
/// later block by the request for it.
void Desk::limit(Sending& sending, Call& call) const {
    sending.transmissions = std::min(sending.transmissions, kFewTransmissions);
    const std::size_t credit = peers_.credit(call.from);
    const std::size_t block = Block{0, false, call.szx}.size();
    const std::size_t total = call.content.size();
    const std::size_t blocks = total / block + 1;
    const std::size_t first = std::min(total, block) + kOverhead;
    const std::size_t rest =
        total + blocks * kOverhead - std::min(total + blocks * kOverhead, first);
    // Rather whole and not repeated than in small pieces.
    for (; sending.transmissions > 1; --sending.transmissions) {
        if (sending.transmissions * first + rest <= credit) return;
    }
    if (first + rest <= credit) return;
    const std::size_t each =
        std::min(credit / sending.transmissions, Peers::kFactor * call.overhead);
    call.szx = std::min(call.szx, szx_within(each > kOverhead ? each - kOverhead : 0));
}

std::vector<Desk::Sending> Desk::publish(ra::Bytes message, ra::BootTime now) {
    observers_.expire(now);
    announcement_ = std::move(message);
    announced_ = (announced_ + 1) & kObserveMask;
    std::vector<Sending> all;
    for (const Observers::Observer& observer : observers_.all()) {
        Sending& sending = all.emplace_back();
        sending.to = observer.at;
        sending.token = observer.token;
        sending.response.code = Code::content;
        sending.response.content_format = kPkixCmp;
        sending.response.observe = announced_;
        (void)slice(sending.response, {announcement_, announced_, Block::kLargest, 0},
                    std::nullopt);
    }
    return all;
}

void Desk::forget(const Endpoint& from) {
    partials_.forget(from);
    observers_.forget(from);
    calls_.forget(from);
}

void Desk::expire(ra::BootTime now) {
    partials_.expire(now);
    calls_.expire(now);
}

Desk::Action Desk::refuse(const Request& request, Code code, std::string_view text) {
    Response response;
    response.code = code;
    if (code == Code::request_too_large)
        response.size1 = static_cast<std::uint32_t>(settings_.bodies.message);
    if (code == Code::service_unavailable) response.max_age = kSoon;
    const std::size_t more = text.size() + kOverhead;
    if (!text.empty() && (validated_ || peers_.credit(request.from) >= more)) {
        response.content_format = kTextPlain;
        response.payload = ra::as_bytes(text);
    }
    return charged(request, std::move(response));
}

Desk::Action Desk::challenge(const Request& request, ra::BootTime now) {
    Response response;
    response.code = Code::unauthorized;
    response.echo = peers_.echo_for(request.from, now);
    return charged(request, std::move(response));
}

/// The block size that the sender's address has paid for.
std::uint8_t Desk::affordable(const Request& request) const noexcept {
    if (validated_) return Block::kLargest;
    const std::size_t credit = peers_.credit(request.from);
    return szx_within(credit > kOverhead ? credit - kOverhead : 0);
}

/// Nothing leaves for an address that may be somebody else's that it has not paid for (S-31).
Desk::Action Desk::charged(const Request& request, Response response) {
    if (request.validated) return Respond{std::move(response)};
    const std::size_t credit = peers_.credit(request.from);
    std::size_t octets = octets_of(response, request.token.size());
    if (!validated_ && octets > credit) {
        response = {};
        response.code = Code::unauthorized;
        response.echo = peers_.echo_for(request.from, now_);
        octets = octets_of(response, request.token.size());
        if (octets > credit) return Wait{};
    }
    peers_.sent(request.from, octets);
    return Respond{std::move(response)};
}

}  // namespace transports::coap
