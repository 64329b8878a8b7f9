#include "tests/sim/device.h"

#include <stdexcept>

#include "ra/crypto/digest.h"

namespace test::sim {

using namespace ra;
using namespace std::chrono_literals;
using cmp::BodyType;
using cmp::PKIStatus;

namespace {

constexpr unsigned kAttempts = 5;
constexpr unsigned kPolls = 8;
constexpr Span kInTheNetwork = 30min;  // a datagram at most: beyond what is remembered of it

Bytes certificate_hash(const Bytes& certificate) {
    return crypto::cert_hash(certificate, std::nullopt).value();
}

[[noreturn]] void broken(const std::string& what) { throw std::logic_error{what}; }

}  // namespace

Envelope Device::envelope(std::size_t number, Way way) {
    Envelope made;
    if (is_signed(way)) {
        made.credential = Pki::get().devices[number].credential;
    } else {
        made.sender_kid = to_bytes(as_bytes("device " + std::to_string(number)));
    }
    return made;
}

asio::awaitable<void> Device::live(unsigned enrolments) {
    SeededRandom& random = world_.kernel.random();
    for (unsigned i = 0; i < enrolments; ++i) {
        co_await world_.kernel.sleep(std::chrono::milliseconds{random.below(5000)});
        co_await enrol();
    }
}

asio::awaitable<void> Device::enrol() {
    SeededRandom& random = world_.kernel.random();
    envelope_ = envelope(number_, way_);
    envelope_.transaction_id = random.octets(16);
    // Some devices choose badly: a transactionID another one has used, or still uses (S-03).
    if (!world_.overheard.empty() && random.chance(5)) {
        const std::size_t other = random.below(world_.overheard.size());
        if (world_.overheard[other].device != number_) {
            envelope_.transaction_id = world_.overheard[other].transaction_id;
        }
    }
    envelope_.implicit_confirm = random.chance(30);
    heard_at_ = world_.overheard.size();
    world_.overheard.push_back({number_, way_, envelope_.transaction_id, {}, {}});

    const auto heard = co_await ask(Pki::get().devices[number_].request);
    first_nonce_ = envelope_.sender_nonce;
    if (heard) co_await follow(*heard);
    // Whoever still has one of its messages may send it again.
    if (random.chance(30)) co_await ask_again(world_.overheard[heard_at_].last_message);
    positive_.clear();
}

asio::awaitable<void> Device::follow(Heard heard) {
    SeededRandom& random = world_.kernel.random();
    for (unsigned polls = 0; polls < kPolls; ++polls) {
        if (random.chance(world_.faults.gives_up)) co_return;
        envelope_.recip_nonce = ca_nonce_;
        const bool wrong = random.chance(world_.faults.wrong_nonce);
        if (wrong) envelope_.recip_nonce = random.octets(16);
        std::optional<Heard> next;
        switch (heard) {
            case Heard::refused:
                co_return;
            case Heard::confirmed:
            case Heard::certificate_confirmed:
                ++enrolled_;
                co_return;
            case Heard::certificate: {
                const Bytes& certificate = Pki::get().devices[number_].issued;
                next = co_await ask(cmp::build_cert_conf_body(certificate_hash(certificate), 0));
                break;
            }
            case Heard::wait:
                co_await world_.kernel.sleep(std::chrono::seconds{check_after_});
                next = co_await ask(cmp::build_poll_req_body(0));
                break;
        }
        if (!next) co_return;
        if (wrong && *next != Heard::refused) broken("a follow-up with a wrong nonce went through");
        heard = *next;
    }
}

/// Sends it, and sends it again while no answer comes. nullopt: gave up.
asio::awaitable<std::optional<Device::Heard>> Device::ask(ByteView body) {
    SeededRandom& random = world_.kernel.random();
    envelope_.sender_nonce = random.octets(16);
    envelope_.time = world_.kernel.wall_now();
    const Bytes octets = build_message(envelope_, body);
    world_.ca.expect(octets, way_);
    world_.overheard[heard_at_].last_message = octets;
    if (random.chance(world_.faults.sent_twice)) world_.kernel.spawn(ask_again(octets));

    for (unsigned attempt = 0; attempt < kAttempts; ++attempt) {
        if (random.chance(world_.faults.datagram_overtaken)) {
            world_.kernel.spawn(ask_again(octets, kInTheNetwork));
        }
        if (random.chance(world_.faults.datagram_lost)) {
            co_await world_.kernel.sleep(std::chrono::milliseconds{random.below(10'000)});
            continue;
        }
        const Reply reply = co_await world_.call(octets, way_, envelope_.transaction_id, true);
        if (random.chance(world_.faults.gives_up)) co_return std::nullopt;
        const auto* answer = std::get_if<Answer>(&reply);
        if (std::holds_alternative<NotCmp>(reply)) broken("a device's message was taken for junk");
        if (answer != nullptr && !random.chance(world_.faults.answer_lost)) {
            co_return listen(octets, answer->der);
        }
        co_await world_.kernel.sleep(std::chrono::milliseconds{random.below(10'000)});
    }
    co_return std::nullopt;
}

/// The same octets, beside the genuine exchange or after it: the same answer or an error.
asio::awaitable<void> Device::ask_again(Bytes octets, Span within) {
    SeededRandom& random = world_.kernel.random();
    const auto most = std::chrono::floor<std::chrono::milliseconds>(within).count();
    co_await world_.kernel.sleep(
        std::chrono::milliseconds{random.below(static_cast<std::uint64_t>(most))});
    const cmp::Limits limits;
    const auto message = cmp::parse_pki_message(octets, limits).value();
    const Bytes transaction_id = to_bytes(*message.header.transaction_id);
    const Reply reply = co_await world_.call(octets, way_, transaction_id, true);
    const auto* answer = std::get_if<Answer>(&reply);
    if (answer == nullptr || !world_.ca.said(answer->der, way_)) co_return;
    const auto known = positive_.find(octets);
    if (known != positive_.end() && known->second != answer->der) {
        broken("S-05: a repetition got another answer than the first");
    }
    if (known != positive_.end()) ++world_.repeated;
}

Device::Heard Device::listen(const Bytes& asked, const Bytes& answer) {
    const cmp::Limits limits;
    const auto parsed = cmp::parse_pki_message(answer, limits);
    if (!parsed) broken("the device got what does not parse");
    const cmp::PKIHeader& header = parsed->header;
    if (!header.transaction_id || !equal(*header.transaction_id, envelope_.transaction_id)) {
        broken("the device got an answer of another transaction");
    }
    const bool of_this = header.recip_nonce && equal(*header.recip_nonce, envelope_.sender_nonce);
    const bool of_first = header.recip_nonce && equal(*header.recip_nonce, first_nonce_);
    if (!of_this && !of_first) broken("the device got an answer to another message");
    if (!world_.ca.said(answer, way_)) {
        // What the gateway says itself is never good news.
        if (parsed->type == BodyType::error) return Heard::refused;
        const auto rep = cmp::parse_cert_rep(parsed->content, 0, limits);
        if (!rep || rep->responses.at(0).status.status != PKIStatus::rejection) {
            broken("S-12: the device got a positive answer the CA did not give");
        }
        return Heard::refused;
    }
    const auto [known, is_new] = positive_.emplace(asked, answer);
    if (!is_new && known->second != answer) broken("S-05: two answers to one message");

    ca_nonce_ = to_bytes(header.sender_nonce.value_or(ByteView{}));
    world_.overheard[heard_at_].ca_nonce = ca_nonce_;
    switch (parsed->type) {
        case BodyType::pkiconf:
            return Heard::confirmed;
        case BodyType::pollRep:
            check_after_ =
                cmp::parse_poll_rep(parsed->content, 0, limits).value().at(0).check_after;
            return Heard::wait;
        case BodyType::ip:
            break;
        default:
            return Heard::refused;
    }
    const auto rep = cmp::parse_cert_rep(parsed->content, 0, limits).value();
    switch (rep.responses.at(0).status.status) {
        case PKIStatus::waiting:
            check_after_ = 1;
            return Heard::wait;
        case PKIStatus::rejection:
            return Heard::refused;
        default:
            break;
    }
    if (!equal(rep.responses.at(0).certificate, Pki::get().devices[number_].issued)) {
        broken("S-13: the device got somebody else's certificate");
    }
    return header.implicit_confirm() ? Heard::certificate_confirmed : Heard::certificate;
}

}  // namespace test::sim
