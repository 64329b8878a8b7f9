#include <time.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string_view>
#include <vector>

#include "ra/cmp/oids.h"
#include "ra/crypto/protection.h"
#include "ra/gateway/gateway.h"
#include "ra/store/memory.h"
#include "ra/store/memory_inventory.h"
#include "ra/upstream/client.h"
#include "tests/support/fake_clock.h"
#include "tests/support/messages.h"
#include "tests/support/pki.h"
#include "tests/support/seeded_random.h"

/// Figure 3: what an ir and its ip cost a gateway that re-protects both, against the signatures it
/// must verify and make (device, POP, CA; towards the CA, towards the device). In one process
/// without a network, with a CA that has its answers ready; CPU time of the process.
namespace {

using namespace ra;
using test::Pki;

double cpu_microseconds() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

/// Says what it was given to say, by transactionID.
class ReadyCa final : public Exchange {
public:
    asio::awaitable<Reply> exchange(Arrival arrival) override {
        const auto message = cmp::parse_pki_message(arrival.der, {}).value();
        co_return Answer{std::move(answers.at(to_bytes(*message.header.transaction_id)))};
    }
    std::map<Bytes, Bytes> answers;
};

struct NoTimers final : Timers {
    Id schedule(BootTime, std::function<void()>) override { return 1; }
    void cancel(Id) noexcept override {}
};
struct NoPool final : gateway::CpuPool {
    asio::awaitable<bool> run(std::function<void()> work) override {
        work();
        co_return true;
    }
};
struct NoAudit final : gateway::Audit {
    void record(const gateway::Ended& ended) override {
        if (ended.decision != "forwarded")
            throw std::runtime_error(std::string(ended.rule) + ": " + ended.detail);
    }
};

store::MemorySettings store_settings() {
    store::MemorySettings made;
    made.open_per_principal = made.remembered_per_principal = 1'000'000;
    return made;
}

gateway::SettingsPtr settings(policy::Treatment treatment) {
    const Pki& pki = Pki::get();
    auto profile = std::make_shared<policy::Profile>();
    profile->name = "devices";
    profile->origin.trust = pki.trust;
    profile->rules.keys = {policy::KeyPattern::parse("ec:P-256")};
    profile->upstream = "ca";
    profile->treatments.otherwise = treatment;
    gateway::UpstreamSettings upstream;
    upstream.name = "ca";
    upstream.responder.trust = pki.trust;
    upstream.responder.ekus = {to_bytes(cmp::oid::kCmcCa.view())};
    upstream.credential = pki.gateway;
    auto made = std::make_shared<gateway::Settings>();
    made->profiles = {std::move(profile)};
    made->upstreams.emplace("ca", std::move(upstream));
    made->reply_credential = pki.gateway;
    made->credentials = {pki.gateway};
    return made;
}

class Figure {
public:
    explicit Figure(policy::Treatment treatment)
        : gateway_{{store_, inventory_, audit_, pool_, clock_, timers_, random_, chains_},
                   snapshot(settings(treatment))} {}

    /// CPU of one ir and its ip, by the gateway.
    double exchanges(unsigned count) {
        std::vector<Bytes> requests;
        for (unsigned i = 0; i < count; ++i) requests.push_back(prepare());
        const double begun = cpu_microseconds();
        for (Bytes& request : requests) {
            Arrival arrival;
            arrival.der = std::move(request);
            arrival.deadline = clock_.boot_now() + std::chrono::seconds{30};
            io_.restart();
            boost::asio::co_spawn(io_, gateway_.exchange(std::move(arrival)),
                                  [](const std::exception_ptr& failed, const Reply&) {
                                      if (failed) std::rethrow_exception(failed);
                                  });
            io_.run();
        }
        return (cpu_microseconds() - begun) / count;
    }

private:
    gateway::SnapshotPtr snapshot(gateway::SettingsPtr of) {
        auto made = std::make_shared<gateway::Snapshot>();
        made->settings = std::move(of);
        made->upstreams["ca"] = {std::shared_ptr<void>{}, &upstream_};
        return made;
    }

    Bytes prepare() {
        const Pki& pki = Pki::get();
        const Pki::Device& device = pki.devices.front();
        test::Envelope envelope;
        envelope.credential = device.credential;
        envelope.time = clock_.wall_now();
        envelope.transaction_id = random_.octets(16);
        envelope.sender_nonce = random_.octets(16);
        envelope.implicit_confirm = true;
        Bytes request = test::build_message(envelope, device.request);
        const auto parsed = cmp::parse_pki_message(request, {}).value();
        test::Envelope back = test::answer_to(parsed, random_, clock_.wall_now(), pki.responder);
        back.implicit_confirm = true;
        const Bytes status = cmp::build_status_info(cmp::PKIStatus::accepted, std::nullopt, {});
        ca_.answers[envelope.transaction_id] = test::build_message(
            back, cmp::build_cert_rep_body(cmp::BodyType::ip, 0, status, device.issued, {}));
        return request;
    }

    boost::asio::io_context io_{1};  // one: making it costs as much as a signature
    test::FakeClock clock_{Pki::kNow};
    test::SeededRandom random_{5};
    ReadyCa ca_;
    upstream::Local upstream_{ca_};
    store::Memory store_{clock_, random_, store_settings()};
    store::MemoryInventory inventory_;
    NoAudit audit_;
    NoPool pool_;
    NoTimers timers_;
    crypto::ChainVerifier chains_{clock_};
    gateway::Gateway gateway_;
};

/// CPU of what libcrypto must do for one of them, keys ready.
double signatures(unsigned count, unsigned verified, unsigned made) {
    const crypto::Credential& credential = *Pki::get().gateway;
    const Bytes data(900, 0x42);
    const Bytes signature = credential.key->sign(data).value();
    const auto algorithm = [&] {
        cmp::AlgorithmIdentifier out;
        out.whole = credential.key->algorithm();
        asn1::DerReader outer{out.whole};
        asn1::DerReader inner{outer.read(asn1::Tag::sequence, "a").value()};
        out.algorithm = inner.read_oid("a").value();
        return out;
    }();
    const double begun = cpu_microseconds();
    for (unsigned i = 0; i < count; ++i) {
        for (unsigned n = 0; n < verified; ++n) {
            if (!credential.certificate->key().verify(algorithm, signature, {}, data))
                throw std::runtime_error("does not verify");
        }
        for (unsigned n = 0; n < made; ++n) (void)credential.key->sign(data).value();
    }
    return (cpu_microseconds() - begun) / count;
}

void compare(std::string_view name, policy::Treatment treatment, unsigned made, bool quick) {
    constexpr unsigned kVerified = 3;  // the device's protection, its POP, the CA's answer
    const unsigned count = quick ? 20 : 1000;
    Figure figure{treatment};
    std::vector<double> whole, parts;
    for (int repeat = 0; repeat < (quick ? 3 : 10); ++repeat) {
        const double one = figure.exchanges(count);
        const double two = signatures(count, kVerified, made);
        if (repeat == 0) continue;  // the first warms up
        whole.push_back(one);
        parts.push_back(two);
    }
    std::cout << R"({"treatment":")" << name << R"(","exchange_us":)" << median(whole)
              << R"(,"crypto_us":)" << median(parts) << R"(,"ratio":)"
              << median(whole) / median(parts) << "}\n";
}

}  // namespace

int main(int argc, char** argv) try {
    const bool quick = argc > 1 && std::string_view{argv[1]} == "--quick";
    compare("forward", policy::Treatment::forward, 0, quick);
    compare("nest", policy::Treatment::nest, 1, quick);
    compare("reprotect", policy::Treatment::reprotect, 2, quick);
    return 0;
} catch (const std::exception& fault) {
    std::cerr << "cmpgate_bench_reprotect: " << fault.what() << '\n';
    return 1;
}
