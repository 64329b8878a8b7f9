#include <unistd.h>

#include <iostream>
#include <stdexcept>

#include "ra/store/memory.h"
#include "ra/store/memory_inventory.h"
#include "tests/bench/coap_bench.h"
#include "tests/bench/gateway_parts.h"
#include "transports/coap/server.h"
#include "transports/common/workers.h"

namespace bench {

using namespace ra;

namespace {

/// A CA in the process: its answer stands, but for the ids.
class Echo final : public gateway::Upstream {
public:
    explicit Echo(std::size_t octets) : answer_{large_answer(octets)} {}
    asio::awaitable<gateway::SubmitResult> submit(gateway::UpstreamMessage message) override {
        const auto request = cmp::parse_pki_message(message.der, {});
        if (!request || !request->header.transaction_id || !request->header.sender_nonce)
            throw std::runtime_error("the gateway sends what is no request");
        co_return gateway::Answered{
            answer_.render(*request->header.transaction_id, app::bench::Template::sender_mark(),
                           *request->header.sender_nonce),
            0};
    }

private:
    app::bench::Template answer_;
};

void report(std::string_view where, std::exception_ptr fault) {
    try {
        std::rethrow_exception(std::move(fault));
    } catch (const std::exception& exception) {
        std::cerr << where << ": " << exception.what() << std::endl;
    }
}

}  // namespace

void serve_gateway(std::size_t octets) {
    const SystemClock clock;
    SystemRandom random;
    store::MemorySettings bounds;
    bounds.open_per_principal = bounds.open;
    bounds.remembered = 4UL << 20U;
    bounds.remembered_per_principal = bounds.remembered;
    bounds.opaque_percent = 100;
    store::Memory store{clock, random, bounds};
    store::MemoryInventory inventory;
    NoAudit audit;
    NoCpuPool cpu;
    crypto::ChainVerifier chains{clock};

    // The threads the program has.
    transports::common::Workers home{1, report, "coap-"};
    transports::common::Workers workers{1, report};
    auto snapshot = std::make_shared<gateway::Snapshot>();
    snapshot->settings = settings_of(std::string{kOpaque});
    snapshot->upstreams.emplace("ca", std::make_shared<Echo>(octets));
    gateway::Gateway gateway{gateway::Services{store, inventory, audit, cpu, clock, workers[0],
                                               workers[0].random(), chains},
                             snapshot};
    transports::coap::CoapServerSettings settings;
    settings.desk.bodies.silence = std::chrono::seconds{60};
    transports::coap::CoapServerCounters counters;
    const transports::coap::CoapServer server{home[0], settings, {{workers[0], gateway}}, counters};
    workers.start();
    home.start();
    std::cout << "listening on " << server.port() << std::endl;
    for (;;) ::pause();
}

}  // namespace bench
