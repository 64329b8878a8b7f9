#include "ra/app/bench/test_ca.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <iostream>

#include "ra/app/process.h"
#include "ra/cmp/body.h"
#include "ra/cmp/build.h"
#include "transports/common/workers.h"
#include "transports/http1/server.h"

namespace ra::app::bench {

using cmp::BodyType;

TestCa::TestCa(std::shared_ptr<const TestPki> pki, std::chrono::milliseconds delay)
    : pki_{std::move(pki)}, delay_{delay} {
    if (pki_ != nullptr) return;
    prebuilt_.emplace(Prebuilt{prebuilt_answer(BodyType::ip, false),
                               prebuilt_answer(BodyType::ip, true),
                               prebuilt_answer(BodyType::cp, false),
                               prebuilt_answer(BodyType::cp, true), prebuilt_pkiconf()});
}

asio::awaitable<Reply> TestCa::exchange(Arrival arrival) {
    const auto request = cmp::parse_pki_message(arrival.der, {});
    if (!request || !request->header.transaction_id || !request->header.sender_nonce)
        co_return NotCmp{NotCmp::Why::malformed, {}};
    const bool known = request->type == BodyType::ir || request->type == BodyType::cr ||
                       request->type == BodyType::certConf;
    if (!known) co_return NotCmp{NotCmp::Why::malformed, {}};
    if (delay_.count() > 0) {
        asio::steady_timer timer{co_await asio::this_coro::executor, delay_};
        co_await timer.async_wait(asio::use_awaitable);
    }
    co_return Answer{answer(*request)};
}

Bytes TestCa::answer(const cmp::PKIMessage& request) {
    return pki_ != nullptr ? signed_answer(request) : prebuilt(request);
}

Bytes TestCa::prebuilt(const cmp::PKIMessage& request) const {
    const bool confirmed = request.header.implicit_confirm();
    const Template& ip = confirmed ? prebuilt_->confirmed_ip : prebuilt_->ip;
    const Template& cp = confirmed ? prebuilt_->confirmed_cp : prebuilt_->cp;
    const Template& made = request.type == BodyType::certConf ? prebuilt_->pkiconf
                           : request.type == BodyType::ir     ? ip
                                                              : cp;
    // Its own nonce repeats: whoever checks it keeps it by transaction.
    return made.render(*request.header.transaction_id, Template::sender_mark(),
                       *request.header.sender_nonce);
}

Bytes TestCa::signed_answer(const cmp::PKIMessage& request) {
    const crypto::Credential& responder = *pki_->responder;
    Bytes body = cmp::build_pkiconf_body();
    if (request.type != BodyType::certConf) {
        body = cmp::build_cert_rep_body(
            request.type == BodyType::ir ? BodyType::ip : BodyType::cp, 0,
            cmp::build_status_info(cmp::PKIStatus::accepted, std::nullopt, {}),
            certificate_for(request), {});
    }
    const Bytes sender = responder.sender(), nonce = random_.octets(16);
    cmp::HeaderFields fields;
    fields.sender = sender;
    fields.recipient = request.header.sender;
    fields.message_time = SystemClock{}.wall_now();
    fields.protection_alg = responder.key->algorithm();
    fields.sender_kid = responder.sender_kid();
    fields.transaction_id = *request.header.transaction_id;
    fields.sender_nonce = nonce;
    fields.recip_nonce = *request.header.sender_nonce;
    fields.implicit_confirm = request.header.implicit_confirm();
    auto made = crypto::protect(responder, cmp::build_header(fields), body);
    if (!made) throw std::runtime_error("an answer could not be signed");
    return std::move(*made);
}

ByteView TestCa::certificate_for(const cmp::PKIMessage& request) {
    const auto at = static_cast<std::size_t>(request.content.data() - request.whole.data());
    const auto requests = cmp::parse_cert_req_messages(request.content, at, {});
    if (!requests || requests->empty()) throw std::runtime_error("a request without CertReqMsg");
    const cmp::CertTemplate& wanted = requests->front().cert_template;
    if (!wanted.public_key || !wanted.subject)
        throw std::runtime_error("a request without key or subject");
    Bytes spki = wanted.public_key_der();
    const auto found = issued_.find(spki);
    if (found != issued_.end()) return found->second;
    Bytes certificate = issue(*pki_, *wanted.subject, spki);
    return issued_.emplace(std::move(spki), std::move(certificate)).first->second;
}

int serve_test_ca(std::uint16_t port, std::chrono::milliseconds delay, unsigned threads,
                  std::shared_ptr<const TestPki> pki) {
    using namespace transports;
    const Signals signals;
    common::Workers workers{threads, [](std::string_view where, std::exception_ptr fault) {
                                try {
                                    std::rethrow_exception(std::move(fault));
                                } catch (const std::exception& exception) {
                                    std::cerr << "cmpgate bench: " << where << ": "
                                              << exception.what() << '\n';
                                }
                            }};
    http1::HttpServerSettings settings;
    settings.aliases = {"/"};
    std::deque<TestCa> cas;
    std::deque<http1::HttpServerCounters> counters;
    std::deque<http1::HttpServer> servers;
    std::vector<common::Listener::Seat> seats;
    for (unsigned i = 0; i < threads; ++i) {
        servers.emplace_back(workers[i], cas.emplace_back(pki, delay), settings,
                             counters.emplace_back());
        seats.push_back({workers[i], servers.back()});
    }
    common::ListenerSettings listening;
    listening.port = port;
    common::Listener listener{listening, std::move(seats)};
    workers.start();
    listener.start();
    std::cout << "listening on " << listener.port() << std::endl;
    (void)signals.wait();
    listener.stop();
    (void)workers.drain(BootClock::now() + std::chrono::milliseconds{200});
    workers.stop();
    return 0;
}

}  // namespace ra::app::bench
