#include "transports/coap/client.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "transports/coap/libcoap.h"
#include "transports/coap/paths.h"
#include "transports/coap/pdus.h"
#include "transports/common/wakeup.h"

namespace transports::coap {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kTokenOctets = 8;

std::string text_of(const coap_bin_const_t& token) {
    return std::string{ra::as_text({token.s, token.length})};
}

Conversation::Heard read_response(const coap_pdu_t* pdu) {
    Conversation::Heard heard;
    heard.code = static_cast<Code>(coap_pdu_get_code(pdu));
    coap_opt_iterator_t options;
    coap_option_iterator_init(pdu, &options, COAP_OPT_ALL);
    while (const coap_opt_t* option = coap_option_next(&options)) {
        const ra::ByteView value{coap_opt_value(option), coap_opt_length(option)};
        const std::uint32_t number = coap_decode_var_bytes(value.data(), value.size());
        if (options.number == COAP_OPTION_CONTENT_FORMAT) heard.content_format = number;
        if (options.number == COAP_OPTION_BLOCK1) heard.block1 = Block::of(number);
        if (options.number == COAP_OPTION_BLOCK2) heard.block2 = Block::of(number);
        if (options.number == COAP_OPTION_ETAG) heard.etag = value;
        if (options.number == kEcho) heard.echo = value;
    }
    std::size_t size = 0;
    const std::uint8_t* data = nullptr;
    if (coap_get_data(pdu, &size, &data) != 0) heard.payload = {data, size};
    return heard;
}

bool is_numeric(const std::string& host) {
    return host.find(':') != std::string::npos ||
           host.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace

/// One delivery under way.
struct CoapCourier::Running {
    Running(common::Worker& worker, ra::ByteView body, const Conversation::Settings& with)
        : conversation{body, with}, wakeup{worker} {}
    Conversation conversation;
    SessionPtr session;
    std::vector<std::string> path;
    std::string token;                  // of the request that waits for its response
    std::array<std::uint8_t, 4> tag{};  // of all its requests (RFC 9175 3): others run beside it
    std::optional<ra::Sent> sent;
    common::Wakeup wakeup;
};

/// One of the max_in_flight.
class CoapCourier::Turn {
public:
    explicit Turn(CoapCourier& of) noexcept : courier_{of} {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() { courier_.end_turn(); }

private:
    CoapCourier& courier_;
};

struct CoapCourier::Callbacks {
    static CoapCourier& of(const coap_session_t* session) noexcept {
        return *static_cast<CoapCourier*>(coap_get_app_data(coap_session_get_context(session)));
    }
    template <class Work>
    static void guarded(CoapCourier& courier, Work work) noexcept {
        try {
            work();
        } catch (...) {
            courier.worker_.report("coap", std::current_exception());
        }
    }
    static coap_response_t response(coap_session_t* session, const coap_pdu_t*,
                                    const coap_pdu_t* received, coap_mid_t) noexcept {
        CoapCourier& courier = of(session);
        guarded(courier, [&] { courier.heard(session, received); });
        return COAP_RESPONSE_OK;
    }
    static void nack(coap_session_t* session, const coap_pdu_t* sent, coap_nack_reason_t,
                     coap_mid_t) noexcept {
        CoapCourier& courier = of(session);
        guarded(courier, [&] { courier.lost(sent); });
    }
    static int event(coap_session_t* session, coap_event_t what) noexcept {
        CoapCourier& courier = of(session);
        guarded(courier, [&] {
            auto* const ours = static_cast<ClientSession*>(coap_session_get_app_data(session));
            if (ours == nullptr) return;
            if (what == COAP_EVENT_DTLS_CONNECTED) {
                common::TlsCounters& tls = courier.counters_.tls;
                const auto kind = static_cast<std::size_t>(common::TlsFault::Kind::protocol);
                (ours->secured() ? tls.full : tls.failed[kind]).add();
            }
            if (what == COAP_EVENT_SESSION_CONNECTED) ours->connected();
            if (what == COAP_EVENT_DTLS_ERROR) courier.ended(*ours, true);
            if (what == COAP_EVENT_DTLS_CLOSED || what == COAP_EVENT_TCP_CLOSED ||
                what == COAP_EVENT_TCP_FAILED || what == COAP_EVENT_SESSION_CLOSED ||
                what == COAP_EVENT_SESSION_FAILED)
                courier.ended(*ours, false);
        });
        return 0;
    }
};

CoapCourier::CoapCourier(common::Worker& worker, CoapClientSettings settings,
                         http1::HttpClientCounters& counters)
    : worker_{worker},
      settings_{std::move(settings)},
      counters_{counters},
      names_{worker, settings_.host, settings_.port},
      context_{std::make_unique<Context>(worker)},
      tls_{settings_.tls} {
    coap_context_t* const context = context_->get();
    coap_set_app_data(context, this);
    coap_register_response_handler(context, Callbacks::response);
    coap_register_nack_handler(context, Callbacks::nack);
    coap_register_event_handler(context, Callbacks::event);
    context_->between_steps([this] {
        left_.clear();
        if (session_ != nullptr) session_->lend();
    });
    coap_context_set_csm_max_message_size(context,
                                          static_cast<std::uint32_t>(settings_.max_answer + 1024));
}

CoapCourier::~CoapCourier() {
    closed_ = true;
    session_.reset();
    left_.clear();
}

void CoapCourier::set_tls(common::TlsContextPtr tls) {
    tls_ = std::move(tls);
    leave(session_);
}

asio::awaitable<ra::Sent> CoapCourier::send(ra::Delivery delivery) {
    counters_.deliveries.add();
    ra::Sent sent = co_await deliver(delivery);
    counters_.ended(sent);
    co_return sent;
}

asio::awaitable<ra::Sent> CoapCourier::deliver(const ra::Delivery& delivery) {
    if (closed_) co_return ra::NotSent{"closed"};
    if (ra::BootClock::now() >= delivery.deadline) co_return ra::NotSent{"deadline"};
    const bool granted = co_await take_turn(delivery.deadline);
    if (!granted) co_return ra::NotSent{"busy"};
    const Turn turn{*this};
    const char* why = "connect";
    const SessionPtr session = co_await connect(delivery.deadline, why);
    if (session == nullptr) co_return ra::NotSent{why};

    Conversation::Settings with;
    with.reliable = is_reliable(settings_.protocol);
    with.largest = coap_session_max_pdu_size(session->get());
    with.max_answer = settings_.max_answer;
    Running running{worker_, delivery.der, with};
    running.session = session;
    worker_.random().fill(running.tag);
    running.path = settings_.append_labels
                       ? render_path(settings_.path, delivery.label, delivery.operation)
                       : split_path(settings_.path);
    const bool asked = ask(running, running.conversation.first());
    if (!asked) co_return ra::NotSent{"connect"};
    context_->arm();
    (void)co_await running.wakeup.wait(delivery.deadline);
    running_.erase(running.token);
    if (running.sent) co_return std::move(*running.sent);
    // A server that has forgotten the keys of a session says nothing.
    if (is_secure(settings_.protocol)) leave(session);
    // Blocks of a message that was never whole tell a server nothing (RFC 7959 2.5).
    if (running.conversation.whole_sent()) co_return ra::Unknown{"deadline"};
    co_return ra::NotSent{"deadline"};
}

asio::awaitable<bool> CoapCourier::take_turn(ra::Deadline until) {
    if (in_flight_ < settings_.max_in_flight && waiting_.empty()) {
        ++in_flight_;
        co_return true;
    }
    if (waiting_.size() >= settings_.max_waiting) co_return false;
    common::Wakeup wakeup{worker_};
    waiting_.push_back(&wakeup);
    counters_.waiting.add();
    (void)co_await wakeup.wait(until);
    counters_.waiting.subtract();
    // Still in the queue: its time came first. Else the turn is its own, even if it is late.
    co_return std::erase(waiting_, &wakeup) == 0;
}

void CoapCourier::end_turn() noexcept {
    if (waiting_.empty()) {
        --in_flight_;
        return;
    }
    common::Wakeup* const next = waiting_.front();
    waiting_.pop_front();
    next->notify();
}

asio::awaitable<CoapCourier::SessionPtr> CoapCourier::connect(ra::Deadline until,
                                                              const char*& why) {
    const auto addresses = co_await names_.lookup(until);
    if (closed_) co_return nullptr;
    if (addresses.empty()) {
        why = "name";
        co_return nullptr;
    }
    const SessionPtr session = open(addresses.front());
    if (session == nullptr) co_return nullptr;
    context_->arm();
    const bool established = co_await session->established(
        std::min<ra::BootTime>(until, ra::BootClock::now() + settings_.connect_time));
    if (established && !closed_) co_return session;
    // A delivery that is short of time does not end what others wait for.
    if (session->state() == ClientSession::State::over ||
        ra::BootClock::now() - session->used >= settings_.connect_time)
        leave(session);
    why = session->why();
    counters_.connect_errors.add();
    co_return nullptr;
}

CoapCourier::SessionPtr CoapCourier::open(const http1::NameCache::Endpoint& to) {
    if (session_ != nullptr && is_secure(settings_.protocol) &&
        session_->state() == ClientSession::State::established &&
        ra::BootClock::now() - session_->used > settings_.idle_time)
        leave(session_);
    if (session_ != nullptr) {
        counters_.reused.add();
        return session_;
    }
    if (is_secure(settings_.protocol) && tls_ == nullptr) return nullptr;
    session_ = ClientSession::open(
        worker_, *context_,
        {settings_.protocol, to, settings_.tls_name.empty() ? settings_.host : settings_.tls_name,
         tls_});
    (session_ != nullptr ? counters_.connects : counters_.connect_errors).add();
    if (session_ != nullptr) session_->used = ra::BootClock::now();
    return session_;
}

void CoapCourier::leave(const SessionPtr& session) {
    // The library may be in the middle of it.
    if (session != nullptr && session == session_) left_.push_back(std::move(session_));
}

bool CoapCourier::ask(Running& running, const Conversation::Ask& ask) {
    if (running.session->state() != ClientSession::State::established) return false;
    coap_session_t* const session = running.session->get();
    PduHandle pdu{coap_pdu_init(COAP_MESSAGE_CON, COAP_REQUEST_CODE_POST,
                                coap_new_message_id(session), coap_session_max_pdu_size(session))};
    if (pdu == nullptr) return false;
    running_.erase(running.token);
    running.token.assign(kTokenOctets, '\0');
    worker_.random().fill({reinterpret_cast<std::uint8_t*>(running.token.data()), kTokenOctets});
    const ra::ByteView token = ra::as_bytes(running.token);
    bool good = coap_add_token(pdu.get(), token.size(), token.data()) != 0;
    // In the order of their numbers.
    const auto add = [&](std::uint16_t option, ra::ByteView value) {
        good = good && coap_add_option(pdu.get(), option, value.size(), value.data()) != 0;
    };
    if (!is_numeric(settings_.host)) add(COAP_OPTION_URI_HOST, ra::as_bytes(settings_.host));
    for (const std::string& segment : running.path)
        add(COAP_OPTION_URI_PATH, ra::as_bytes(segment));
    if (ask.has_format) good = good && add_uint(pdu.get(), COAP_OPTION_CONTENT_FORMAT, kPkixCmp);
    if (ask.block2) good = good && add_uint(pdu.get(), COAP_OPTION_BLOCK2, ask.block2->value());
    if (ask.block1) good = good && add_uint(pdu.get(), COAP_OPTION_BLOCK1, ask.block1->value());
    if (ask.size1) good = good && add_uint(pdu.get(), COAP_OPTION_SIZE1, *ask.size1);
    if (!ask.echo.empty()) add(kEcho, ask.echo);
    add(kRequestTag, running.tag);
    if (!ask.payload.empty())
        good = good && coap_add_data(pdu.get(), ask.payload.size(), ask.payload.data()) != 0;
    if (!good) return false;
    running_[running.token] = &running;
    if (coap_send(session, pdu.release()) != COAP_INVALID_MID) return true;
    running_.erase(running.token);
    return false;
}

void CoapCourier::heard(const coap_session_t* session, const coap_pdu_t* received) {
    const auto found = running_.find(text_of(coap_pdu_get_token(received)));
    if (found == running_.end()) return;  // nobody waits for it any more
    Running& running = *found->second;
    if (running.session->get() != session) return;  // not whom it was asked of
    running.session->used = ra::BootClock::now();
    auto next = running.conversation.heard(read_response(received));
    if (auto* sent = std::get_if<ra::Sent>(&next)) return finish(running, std::move(*sent));
    if (!ask(running, std::get<Conversation::Ask>(next)))
        finish(running, running.conversation.whole_sent() ? ra::Sent{ra::Unknown{"reset"}}
                                                          : ra::Sent{ra::NotSent{"connect"}});
}

void CoapCourier::lost(const coap_pdu_t* sent) {
    if (sent == nullptr) return;
    const auto found = running_.find(text_of(coap_pdu_get_token(sent)));
    if (found == running_.end()) return;
    Running& running = *found->second;
    const SessionPtr session = running.session;
    finish(running, running.conversation.whole_sent() ? ra::Sent{ra::Unknown{"reset"}}
                                                      : ra::Sent{ra::NotSent{"connect"}});
    if (is_secure(settings_.protocol)) leave(session);
}

void CoapCourier::ended(ClientSession& session, bool in_handshake) {
    using Kind = common::TlsFault::Kind;
    const bool was_opening = session.state() == ClientSession::State::opening;
    session.end(in_handshake);
    if (was_opening && in_handshake) {
        const Kind kind = session.refused_certificate() ? Kind::certificate : Kind::protocol;
        counters_.tls.failed[static_cast<std::size_t>(kind)].add();
    }
    std::vector<Running*> gone;
    for (const auto& [token, running] : running_) {
        if (running->session.get() == &session) gone.push_back(running);
    }
    for (Running* running : gone) {
        finish(*running, running->conversation.whole_sent() ? ra::Sent{ra::Unknown{"reset"}}
                                                            : ra::Sent{ra::NotSent{"connect"}});
    }
    if (session_.get() == &session) leave(session_);
}

void CoapCourier::finish(Running& running, ra::Sent sent) {
    running_.erase(running.token);
    running.sent = std::move(sent);
    running.wakeup.notify();
}

asio::awaitable<bool> CoapCourier::probe(ra::Deadline until) {
    if (closed_) co_return false;
    // The cheapest that every server answers: what it serves. Anything it says will do.
    const char* why = "";
    const SessionPtr session = co_await connect(until, why);
    if (session == nullptr) co_return false;
    Running running{worker_, {}, {}};
    running.session = session;
    running.path = {".well-known", "core"};
    const bool asked = ask(running, running.conversation.first());
    if (!asked) co_return false;
    context_->arm();
    (void)co_await running.wakeup.wait(until);
    running_.erase(running.token);
    // A refusal (POST is none of its methods) is an answer, too.
    co_return running.sent && (std::holds_alternative<ra::RejectedByTransport>(*running.sent) ||
                               std::holds_alternative<ra::Delivered>(*running.sent));
}

void CoapCourier::close() noexcept {
    closed_ = true;
    if (running_.empty()) session_.reset();
}

}  // namespace transports::coap
