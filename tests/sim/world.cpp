#include "tests/sim/world.h"

#include <cstdio>
#include <stdexcept>

namespace test::sim {

using namespace ra;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kWorkers = 2;
constexpr std::chrono::seconds kPatience{30};  // of a device, for one exchange

store::MemorySettings store_settings() {
    store::MemorySettings made;
    made.shards = 4;
    return made;
}

}  // namespace

World::World(std::uint64_t seed, bool trace)
    : kernel{seed},
      faults{kernel.random()},
      ca{kernel, faults},
      trace_{trace},
      memory_{kernel, kernel.random(), store_settings()},
      store_{kernel, faults, genuine, memory_},
      upstream_{kernel, faults, ca},
      pool_{kernel, faults.pool_full},
      audit_{*this},
      chains_{kernel} {
    const gateway::SnapshotPtr first = snapshot();
    for (std::size_t i = 0; i < kWorkers; ++i) {
        const gateway::Services services{store_, inventory_, audit_,          pool_,
                                         kernel, kernel,     kernel.random(), chains_};
        workers_.push_back(std::make_unique<gateway::Gateway>(services, first));
    }
}

World::~World() { kernel.abandon(); }

gateway::SnapshotPtr World::snapshot() {
    auto made = std::make_shared<gateway::Snapshot>();
    made->settings = settings(++generation_);
    // The world's own, not the snapshot's.
    made->upstreams["ca"] = {std::shared_ptr<void>{}, &upstream_};
    return made;
}

/// Every other configuration has other profiles: transactions go on with those they began under.
gateway::SettingsPtr World::settings(std::uint64_t generation) {
    const Pki& pki = Pki::get();
    const std::string suffix = generation % 2 == 0 ? "-renamed" : "";
    auto made = std::make_shared<gateway::Settings>();
    made->generation = generation;
    struct Named {
        Way way;
        const char* name;
        policy::Treatment treatment;
    };
    for (const Named& one :
         {Named{Way::bare, "signed", policy::Treatment::forward},
          Named{Way::opaque, "opaque", policy::Treatment::forward},
          Named{Way::nested, "nested", policy::Treatment::nest},
          Named{Way::reprotected, "reprotected", policy::Treatment::reprotect}}) {
        auto profile = std::make_shared<policy::Profile>();
        profile->name = one.name + suffix;
        profile->match.listeners = {static_cast<ListenerId>(one.way)};
        profile->treatments.otherwise = one.treatment;
        profile->upstream = "ca";
        if (one.way == Way::opaque) {
            profile->origin.kind = policy::OriginSettings::Kind::opaque;
        } else {
            profile->origin.trust = pki.trust;
            profile->rules.keys = {policy::KeyPattern::parse("ec:P-256")};
        }
        made->profiles.push_back(std::move(profile));
    }

    gateway::UpstreamSettings upstream;
    upstream.name = "ca";
    upstream.responder.trust = pki.trust;
    upstream.responder.ekus = {to_bytes(cmp::oid::kCmcCa.view())};
    upstream.credential = pki.gateway;
    made->upstreams.emplace("ca", std::move(upstream));
    made->credentials = {pki.gateway};
    made->reply_credential = pki.gateway;
    made->poll_time = std::chrono::hours{24};
    return made;
}

void World::reload(const std::function<void(gateway::Settings&)>& change, Span grace) {
    auto next = std::make_shared<gateway::Snapshot>(*snapshot());
    auto changed = std::make_shared<gateway::Settings>(*next->settings);
    change(*changed);
    next->settings = changed;
    if (!changed->upstreams.contains("ca")) next->upstreams.clear();
    for (const auto& worker : workers_) worker->use(next, kernel.boot_now() + grace);
}

void World::say(const std::string& what) const {
    if (!trace_) return;
    const auto passed = std::chrono::duration<double>(kernel.passed()).count();
    std::fprintf(stderr, "%12.6f  %s\n", passed, what.c_str());
}

void World::Audit::record(const gateway::Ended& ended) {
    ++records;
    if (!world_.trace_) return;
    std::string line = "audit " + to_hex(ended.transaction_id) + " ";
    line += ended.request ? std::string(cmp::to_string(*ended.request)) : "?";
    line += " -> " + std::string(ended.decision) + " " + std::string(ended.rule);
    if (!ended.detail.empty()) line += " (" + ended.detail + ")";
    world_.say(line);
}

asio::awaitable<Reply> World::call(Bytes octets, Way way, Bytes transaction_id, bool is_genuine) {
    Arrival arrival;
    arrival.der = std::move(octets);
    arrival.listener = static_cast<ListenerId>(way);
    arrival.deadline = kernel.boot_now() + kPatience;
    arrival.peer.address = "192.0.2.1";
    kernel.random().fill(arrival.trace.octets);
    const Deadline deadline = arrival.deadline;
    const std::size_t worker = kernel.random().below(workers_.size());

    ++calls_;
    if (is_genuine) genuine.enter(transaction_id);
    Reply reply = co_await workers_[worker]->exchange(std::move(arrival));
    if (is_genuine) genuine.leave(transaction_id);
    ++answers_;
    // What is left to do at the deadline is a few accesses to a store that may be slow.
    if (kernel.boot_now() > deadline + 2s) throw std::logic_error{"an answer after its deadline"};
    co_return reply;
}

void World::check_step() {
    if (answers_ > calls_) throw std::logic_error{"more answers than requests"};
    if (kernel.passed() - swept_ > 1s) {
        swept_ = kernel.passed();
        memory_.sweep();
    }
}

/// The clock steps and the configuration is read again, meanwhile.
asio::awaitable<void> World::disturb() {
    SeededRandom& random = kernel.random();
    std::chrono::seconds off{0};
    for (int round = 0; round < 20; ++round) {
        co_await kernel.sleep(std::chrono::milliseconds{random.below(10'000)});
        if (random.chance(faults.clock_steps)) {
            // Back or forth, and never far from the devices' time.
            const std::chrono::seconds to{static_cast<int>(random.below(200)) - 100};
            kernel.step_wall(to - off);
            off = to;
            chains_.clear();
            say("clock is off by " + std::to_string(off.count()) + " s");
        }
        if (random.chance(faults.reloads)) {
            // A worker first, then the others: messages of the old and the new meet.
            const gateway::SnapshotPtr next = snapshot();
            const std::size_t begin = random.below(workers_.size());
            for (std::size_t i = 0; i < workers_.size(); ++i) {
                workers_[(begin + i) % workers_.size()]->use(next, kernel.boot_now() + 24h);
                co_await kernel.sleep(std::chrono::milliseconds{random.below(50)});
            }
            say("reload");
        }
    }
}

void World::run() {
    kernel.spawn(disturb());
    const auto step = [this] { check_step(); };
    const auto ended = [this] { return kernel.alive() == 0; };
    if (!kernel.run_until(kernel.boot_now() + 24h, ended, step)) {
        throw std::logic_error{std::to_string(kernel.alive()) + " coroutines never ended"};
    }
    if (calls_ != answers_) throw std::logic_error{"a request without answer"};
    if (audit_.records != answers_) throw std::logic_error{"not one audit record per answer"};
    for (const auto& worker : workers_) {
        if (worker->running() != 0) throw std::logic_error{"an exchange is still counted"};
    }
    if (sizes().watches != 0) throw std::logic_error{"a watch remains"};
    if (kernel.scheduled() != 0) throw std::logic_error{"a timer remains"};

    const auto never = [] { return false; };
    kernel.run_until(kernel.boot_now() + 48h, never, step);
    memory_.sweep();
    const auto left = sizes();
    if (left.open + left.remembered + left.kept_octets != 0) {
        throw std::logic_error{std::to_string(left.open) + " open, " +
                               std::to_string(left.remembered) + " remembered, " +
                               std::to_string(left.kept_octets) + " octets remain"};
    }
}

}  // namespace test::sim
