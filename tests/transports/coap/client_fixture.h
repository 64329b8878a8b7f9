#pragma once

#include "tests/transports/coap/fixture.h"
#include "transports/coap/client.h"

namespace coap_test {

/// A client on a worker of its own.
struct ClientFixture {
    explicit ClientFixture(std::uint16_t port, coap::Protocol protocol = coap::Protocol::udp,
                           coap::CoapClientSettings settings = {}) {
        settings.protocol = protocol;
        settings.host = "127.0.0.1";
        settings.port = port;
        settings.path = "/.well-known/cmp";
        settings.append_labels = true;
        courier = std::make_unique<coap::CoapCourier>(workers[0], settings, counters);
        workers.start();
    }
    ~ClientFixture() {
        workers.drain(ra::BootClock::now() + 1s);
        workers.stop();
    }
    std::future<ra::Sent> begin(const std::string& body, std::chrono::milliseconds time = 20s) {
        ra::Delivery delivery;
        delivery.der = ra::as_bytes(body);
        delivery.label = "line3";
        delivery.operation = ra::Operation::kur;
        delivery.deadline = ra::BootClock::now() + time;
        return boost::asio::co_spawn(workers[0].context(), courier->send(delivery),
                                     boost::asio::use_future);
    }
    ra::Sent send(const std::string& body, std::chrono::milliseconds time = 20s) {
        return begin(body, time).get();
    }
    bool probe(std::chrono::milliseconds time) {
        return boost::asio::co_spawn(workers[0].context(),
                                     courier->probe(ra::BootClock::now() + time),
                                     boost::asio::use_future)
            .get();
    }

    std::atomic<int> faults{0};
    http1::HttpClientCounters counters;
    common::Workers workers{1, [this](std::string_view, std::exception_ptr) { ++faults; }};
    std::unique_ptr<coap::CoapCourier> courier;
};

inline std::string content_of(const ra::Sent& sent) {
    const auto* delivered = std::get_if<ra::Delivered>(&sent);
    return delivered == nullptr ? "" : std::string{ra::as_text(delivered->der)};
}

inline std::string ending(const ra::Sent& sent) {
    if (const auto* one = std::get_if<ra::NotSent>(&sent))
        return "not sent: " + std::string{one->why};
    if (const auto* one = std::get_if<ra::Unknown>(&sent))
        return "unknown: " + std::string{one->why};
    if (const auto* one = std::get_if<ra::RejectedByTransport>(&sent))
        return std::to_string(one->status);
    return "delivered";
}

}  // namespace coap_test
