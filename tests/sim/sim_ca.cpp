#include "tests/sim/sim_ca.h"

#include <stdexcept>

#include "ra/crypto/protection.h"

namespace test::sim {

using namespace ra;
using cmp::BodyType;
using cmp::PKIStatus;

namespace {

std::size_t device_of(const cmp::PKIMessage& request) {
    const auto& devices = Pki::get().devices;
    for (std::size_t number = 0; number < devices.size(); ++number) {
        if (equal(devices[number].request, request.body)) return number;
    }
    throw std::logic_error{"the CA got a request no device makes"};
}

bool is_protected(const cmp::PKIMessage& request) { return request.protection.has_value(); }

/// What re-protection must not change.
Bytes words_of(const cmp::PKIMessage& message) {
    Bytes words;
    for (const auto& id :
         {message.header.transaction_id, message.header.sender_nonce, message.header.recip_nonce}) {
        append(words, id.value_or(ByteView{}));
        words.push_back('|');
    }
    append(words, message.body);
    return words;
}

bool by_gateway(const cmp::PKIMessage& message) {
    const crypto::Credential& gateway = *Pki::get().gateway;
    return message.header.sender_kid && equal(*message.header.sender_kid, gateway.sender_kid()) &&
           crypto::verify_signature_protection(message, gateway.certificate->key()).has_value();
}

}  // namespace

void SimCa::expect(const Bytes& octets, Way way) {
    sent_.emplace(octets, way);
    const auto message = cmp::parse_pki_message(octets, {}).value();
    sent_words_.emplace(words_of(message), way);
}

bool SimCa::said(const Bytes& octets, Way way) const {
    if (way != Way::reprotected) return said_.contains(octets);
    const auto message = cmp::parse_pki_message(octets, {});
    return message && by_gateway(*message) && said_words_.contains(words_of(*message));
}

/// The device's message in what came: bare, in a nested of the gateway's, or under its signature.
cmp::PKIMessage SimCa::receive(ByteView octets) const {
    const cmp::PKIMessage message = cmp::parse_pki_message(octets, {}).value();
    if (message.type == BodyType::nested) {
        const auto inner = cmp::parse_nested(message.content, 0, {}).value();
        const auto known =
            inner.size() == 1 ? sent_.find(to_bytes(inner.front().whole)) : sent_.end();
        if (known == sent_.end() || known->second != Way::nested || !by_gateway(message))
            throw std::logic_error{"the CA got a nested message no device's was put into"};
        return inner.front();
    }
    const bool ours = by_gateway(message);
    const auto known = ours ? sent_words_.find(words_of(message)) : sent_.find(to_bytes(octets));
    if (known == (ours ? sent_words_.end() : sent_.end()) ||
        ours != (known->second == Way::reprotected) || known->second == Way::nested) {
        throw std::logic_error{"the CA got octets no device sent"};
    }
    return message;
}

Bytes SimCa::grant(const Transaction& transaction, Twist twist) {
    const auto& devices = Pki::get().devices;
    const std::size_t whose = twist == Twist::foreign_certificate
                                  ? (transaction.device + 1) % devices.size()
                                  : transaction.device;
    ++issued_;
    const Bytes accepted = cmp::build_status_info(PKIStatus::accepted, std::nullopt, {});
    return cmp::build_cert_rep_body(BodyType::ip, 0, accepted, devices[whose].issued, {});
}

/// Empty: grant it now.
Bytes SimCa::begin(const cmp::PKIMessage& request, Transaction& transaction) {
    if (!intents_.insert(words_of(request)).second) {
        throw std::logic_error{"S-04: a state-changing request reached the CA twice"};
    }
    SeededRandom& random = kernel_.random();
    transaction.device = device_of(request);
    transaction.implicit = request.header.implicit_confirm() && random.chance(50);
    if (random.chance(faults_.rejects)) {
        const Bytes rejected = cmp::build_status_info(
            PKIStatus::rejection, cmp::PKIFailureInfo::badCertTemplate, "not today");
        return cmp::build_cert_rep_body(BodyType::ip, 0, rejected);
    }
    if (random.chance(faults_.waits)) {
        transaction.polls_left = static_cast<unsigned>(1 + random.below(3));
        const Bytes waiting = cmp::build_status_info(PKIStatus::waiting, std::nullopt, {});
        return cmp::build_cert_rep_body(BodyType::ip, 0, waiting);
    }
    return {};
}

Bytes SimCa::answer(ByteView octets, Twist twist) {
    const cmp::PKIMessage request = receive(octets);
    const Pki& pki = Pki::get();
    SeededRandom& random = kernel_.random();
    Envelope envelope = answer_to(request, random, kernel_.wall_now(),
                                  is_protected(request) ? pki.responder : nullptr);

    Bytes key = to_bytes(request.header.sender_kid.value_or(ByteView{}));
    append(key, *request.header.transaction_id);
    Transaction& transaction = transactions_[key];
    const std::size_t issued_before = issued_;
    Bytes body;
    switch (request.type) {
        case BodyType::ir:
            body = begin(request, transaction);
            if (body.empty()) {
                envelope.implicit_confirm = transaction.implicit;
                body = grant(transaction, twist);
            }
            break;
        case BodyType::pollReq:
            if (transaction.polls_left > 1) {
                --transaction.polls_left;
                const auto after = static_cast<std::int64_t>(1 + random.below(30));
                body = cmp::build_poll_rep_body(0, after);
            } else {
                envelope.implicit_confirm = transaction.implicit;
                body = grant(transaction, twist);
            }
            break;
        case BodyType::certConf:
            ++confirmed_;
            body = cmp::build_pkiconf_body();
            break;
        default:
            throw std::logic_error{"the CA got a body no device sends"};
    }

    switch (twist) {
        case Twist::recip_nonce:
            envelope.recip_nonce = random.octets(16);
            break;
        case Twist::transaction_id:
            envelope.transaction_id = random.octets(16);
            break;
        case Twist::unprotected:
            envelope.credential = nullptr;
            break;
        case Twist::device_signs:
            envelope.credential = pki.devices.front().credential;
            break;
        case Twist::body_type:
            body = request.type == BodyType::certConf ? cmp::build_poll_rep_body(0, 5)
                                                      : cmp::build_pkiconf_body();
            break;
        default:
            break;
    }
    Bytes made = build_message(envelope, body);
    if (twist == Twist::truncated) made.resize(random.below(made.size()));
    if (twist == Twist::junk) made = random.octets(1 + random.below(2000));
    // A foreign certificate is only wrong where there is one.
    const bool meant =
        twist == Twist::none || (twist == Twist::foreign_certificate && issued_ == issued_before);
    if (meant) {
        said_.insert(made);
        said_words_.insert(words_of(cmp::parse_pki_message(made, {}).value()));
    }
    return made;
}

asio::awaitable<gateway::SubmitResult> SimUpstream::submit(gateway::UpstreamMessage message) {
    using namespace std::chrono_literals;
    SeededRandom& random = kernel_.random();
    const auto travel = [&random] { return std::chrono::microseconds{random.below(300'000)}; };
    co_await kernel_.sleep(travel());
    if (random.chance(faults_.not_sent)) co_return NotSent{"connect"};
    if (random.chance(faults_.status)) {
        constexpr unsigned kCodes[] = {400, 404, 429, 500, 502, 503};
        co_return RejectedByTransport{kCodes[random.below(std::size(kCodes))], {}};
    }
    if (random.chance(faults_.request_lost)) co_return Unknown{"reset"};

    Twist twist = Twist::none;
    if (random.chance(faults_.wrong_answer)) {
        const cmp::Limits limits;
        const auto request = cmp::parse_pki_message(message.der, limits).value();
        const auto last = request.protection ? Twist::foreign_certificate : Twist::body_type;
        twist = static_cast<Twist>(1 + random.below(static_cast<unsigned>(last)));
    }
    Bytes answer = ca_.answer(message.der, twist);
    co_await kernel_.sleep(travel());
    if (random.chance(faults_.response_lost)) co_return Unknown{"reset"};
    if (random.chance(faults_.late)) {
        co_await kernel_.sleep(std::max<Span>(message.deadline - kernel_.boot_now(), 0ns));
        co_return Unknown{"deadline"};
    }
    co_return gateway::Answered{std::move(answer), 0};
}

}  // namespace test::sim
