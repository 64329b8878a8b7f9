#include <barrier>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "ra/app/bench/test_ca.h"
#include "ra/store/memory.h"
#include "ra/store/memory_inventory.h"
#include "tests/bench/gateway_parts.h"
#include "tests/bench/in_process.h"
#include "tests/support/run.h"
#include "transports/common/worker.h"

namespace bench {

using namespace ra;
namespace app_bench = ra::app::bench;

namespace {

/// Everything is verified, both ways.
std::string checked(const std::string& folder) {
    const std::string root = "\"file:" + folder + "/root.pem\"";
    return R"(
[[upstream]]
name = "ca"
url = "http://127.0.0.1:9/"
trust = )" +
           root + R"(
responder = { eku = "cmcCA" }
[[profile]]
name = "devices"
origin = { signature = { trust = )" +
           root + R"( } }
rules = { key = ["ec:P-256"], subject = "CN=${sender.CN}" }
upstream = "ca"
)";
}

struct Messages {
    std::vector<Bytes> requests, answers;
};

/// Requests of one worker's devices and what the CA answers to each, signed beforehand.
Messages make_messages(const std::shared_ptr<const app_bench::TestPki>& pki, bool opaque,
                       unsigned count) {
    const auto devices =
        opaque ? app_bench::prebuilt_devices(cmp::BodyType::ir, true)
               : app_bench::signing_devices(pki->devices, cmp::BodyType::ir, {}, true);
    app_bench::TestCa ca{opaque ? nullptr : pki, {}};
    SystemRandom random;
    Messages made;
    for (std::uint32_t i = 0; i < count; ++i) {
        app_bench::Ids ids;
        random.fill(ids.transaction);
        random.fill(ids.nonce);
        std::memcpy(ids.transaction.data(), &i, sizeof i);  // finds the answer again
        made.requests.push_back(devices->request(i, ids));
        Arrival arrival;
        arrival.der = made.requests.back();
        Reply reply = test::run(ca.exchange(std::move(arrival)));
        made.answers.push_back(std::move(std::get<Answer>(reply).der));
    }
    return made;
}

class Replay final : public gateway::Upstream {
public:
    explicit Replay(const Messages& messages) : messages_{messages} {}
    asio::awaitable<gateway::SubmitResult> submit(gateway::UpstreamMessage message) override {
        const auto parsed = cmp::parse_pki_message(message.der, {});
        std::uint32_t number = 0;
        std::memcpy(&number, parsed->header.transaction_id->data(), sizeof number);
        co_return gateway::Answered{messages_.answers[number], 0};
    }

private:
    const Messages& messages_;
};

/// One worker: its messages, one after the other.
class Lane {
public:
    Lane(const Messages& messages, gateway::Store& store, gateway::Inventory& inventory,
         gateway::SettingsPtr settings)
        : messages_{messages},
          gateway_{gateway::Services{store, inventory, audit_, cpu_, clock_, worker_,
                                     worker_.random(), chains_},
                   snapshot(messages, std::move(settings))} {}

    /// On a thread of its own; CPU microseconds.
    double run() {
        worker_.tasks().spawn("bench", serve());
        const double before = thread_cpu_us();
        worker_.run();
        const double took = thread_cpu_us() - before;
        if (!audit_.wrong.empty()) throw std::runtime_error("not forwarded: " + audit_.wrong);
        return took;
    }

private:
    static gateway::SnapshotPtr snapshot(const Messages& messages, gateway::SettingsPtr settings) {
        auto made = std::make_shared<gateway::Snapshot>();
        made->settings = std::move(settings);
        made->upstreams.emplace("ca", std::make_shared<Replay>(messages));
        return made;
    }

    asio::awaitable<void> serve() {
        for (const Bytes& request : messages_.requests) {
            Arrival arrival;
            arrival.der = request;
            arrival.peer.address = "127.0.0.1";
            arrival.deadline = BootClock::now() + std::chrono::seconds{10};
            worker_.random().fill(arrival.trace.octets);
            (void)co_await gateway_.exchange(std::move(arrival));
        }
        worker_.stop();
    }

    const Messages& messages_;
    SystemClock clock_;
    NoAudit audit_;
    NoCpuPool cpu_;
    crypto::ChainVerifier chains_{clock_};
    transports::common::Worker worker_{{}};
    gateway::Gateway gateway_;
};

}  // namespace

double gateway_cost(const std::string& pki_folder, bool opaque, unsigned threads,
                    unsigned messages) {
    const auto pki =
        std::make_shared<const app_bench::TestPki>(app_bench::TestPki::open(pki_folder));
    const gateway::SettingsPtr settings =
        settings_of(opaque ? std::string{kOpaque} : checked(pki_folder));
    const SystemClock clock;
    SystemRandom random;
    store::MemorySettings bounds;
    bounds.open_per_principal = bounds.open;
    bounds.remembered_per_principal = bounds.remembered;
    bounds.opaque_percent = 100;
    store::Memory store{clock, random, bounds};
    store::MemoryInventory inventory;

    std::vector<Messages> made;
    for (unsigned i = 0; i < threads; ++i) made.push_back(make_messages(pki, opaque, messages));
    std::vector<double> took(threads);
    std::barrier together{static_cast<std::ptrdiff_t>(threads)};
    std::vector<std::exception_ptr> faults(threads);
    std::vector<std::jthread> running;
    for (unsigned i = 0; i < threads; ++i) {
        running.emplace_back([&, i] {
            Lane lane{made[i], store, inventory, settings};
            together.arrive_and_wait();
            try {
                took[i] = lane.run();
            } catch (...) {
                faults[i] = std::current_exception();
            }
        });
    }
    running.clear();  // joins
    double sum = 0;
    for (unsigned i = 0; i < threads; ++i) {
        if (faults[i]) std::rethrow_exception(faults[i]);
        sum += took[i];
    }
    return sum / (threads * messages);
}

}  // namespace bench
