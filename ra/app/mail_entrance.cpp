#include "ra/app/mail_entrance.h"

#include "ra/base/random.h"

namespace ra::app {

MailEntrance::MailEntrance(const config::ListenerConfig& config, const Wiring& /*wiring*/,
                           transports::common::Workers& workers, const PartsList& parts)
    : Entrance{config}, worker_{workers[0]}, exchange_{parts[0]->exchange()} {}

void MailEntrance::exchange(Bytes der, std::function<void(Reply)> done) {
    if (!open_) return done(Overloaded{});
    Arrival arrival;
    arrival.der = std::move(der);
    arrival.listener = config().id;
    arrival.label = config().label;
    arrival.deadline = BootClock::now() + config().exchange_timeout;
    SystemRandom{}.fill(arrival.trace.octets);
    auto shared = std::make_shared<Arrival>(std::move(arrival));
    worker_.post([this, shared, done = std::move(done)]() mutable {
        worker_.tasks().spawn("mail exchange", run(exchange_, std::move(*shared), std::move(done)));
    });
}

asio::awaitable<void> MailEntrance::run(Exchange& exchange, Arrival arrival,
                                        std::function<void(Reply)> done) {
    Reply reply = Overloaded{};
    try {
        reply = co_await exchange.exchange(std::move(arrival));
    } catch (...) {
        done(Overloaded{});
        throw;
    }
    done(std::move(reply));
}

}  // namespace ra::app
