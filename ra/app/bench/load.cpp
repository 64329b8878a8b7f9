#include "ra/app/bench/load.h"

#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <latch>
#include <mutex>
#include <stdexcept>

#include "ra/app/couriers.h"
#include "ra/base/random.h"
#include "ra/cmp/body.h"
#include "transports/common/workers.h"

namespace ra::app::bench {
namespace {

using cmp::BodyType;
using SteadyClock = std::chrono::steady_clock;
using transports::common::Worker;
using transports::http1::HttpClientCounters;

// Held connections are to be idle, not a burst: so many make their enrolment at a time.
constexpr unsigned kHoldWindow = 64;

double own_cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Of all its threads, as the scheduler counts them.
double cpu_seconds_of(int pid) {
    if (pid == 0) return 0;
    double nanoseconds = 0;
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
        double ran = 0;
        if (std::ifstream{task.path() / "schedstat"} >> ran) nanoseconds += ran;
    }
    return nanoseconds / 1e9;
}

/// One courier a connection: each has its own, whatever the transport pools.
std::unique_ptr<Courier> make_connection(Worker& worker, const LoadSettings& settings,
                                         HttpClientCounters& counters) {
    config::UpstreamConfig upstream;
    upstream.name = "URL";
    upstream.max_connections = 1;
    if (settings.hold) upstream.idle_timeout = std::chrono::hours{24};
    static const SystemClock kClock;
    return make_courier(worker, kClock, upstream, config::Url::parse(settings.url), {}, counters,
                        nullptr);
}

/// What all workers share.
class Turns {
public:
    Turns(const LoadSettings& settings, SteadyClock::time_point begin)
        : requests_{settings.requests}, end_{begin + settings.duration} {
        if (settings.duration.count() == 0) end_ = SteadyClock::time_point::max();
        SystemRandom{}.fill(run_);
    }

    /// The ids of one more enrolment; nullopt: that was the last.
    std::optional<Ids> take() noexcept {
        const std::uint64_t number = taken_++;
        if ((requests_ != 0 && number >= requests_) || SteadyClock::now() >= end_)
            return std::nullopt;
        Ids ids{run_, run_};  // no transactionID of another run comes again
        std::memcpy(ids.transaction.data(), &number, sizeof number);
        ids.nonce = nonce_of(ids.transaction, 1);
        return ids;
    }
    static Id nonce_of(Id transaction, std::uint8_t message) noexcept {
        transaction.back() = static_cast<std::uint8_t>(transaction.back() + message);
        return transaction;
    }

private:
    const std::uint64_t requests_;
    SteadyClock::time_point end_;
    Id run_{};
    std::atomic<std::uint64_t> taken_{0};
};

/// The connections of one worker.
class Share {
public:
    Share(Worker& worker, const LoadSettings& settings, const Devices& devices, Turns& turns)
        : worker_{worker}, settings_{settings}, devices_{devices}, turns_{turns} {}

    void add_connection() { couriers_.push_back(make_connection(worker_, settings_, counters_)); }
    [[nodiscard]] unsigned lanes() const noexcept {
        const auto connections = static_cast<unsigned>(couriers_.size());
        return settings_.hold ? std::min(kHoldWindow, connections) : connections;
    }
    void start(std::latch& ended) {
        for (unsigned lane = 0; lane < lanes(); ++lane)
            worker_.tasks().spawn("bench", serve(lane, ended));
    }
    void close() noexcept {
        for (const auto& courier : couriers_) courier->close();
    }
    void add_to(LoadResult& result) const {
        result.latencies.add(latencies_);
        if (result.errors == 0) result.first_error = first_error_;
        result.errors += errors_;
    }

private:
    asio::awaitable<void> serve(unsigned lane, std::latch& ended) {
        struct Leave {
            std::latch& latch;
            ~Leave() { latch.count_down(); }
        } const leave{ended};
        if (settings_.hold) {
            for (std::size_t i = lane; i < couriers_.size(); i += lanes()) {
                if (const auto ids = turns_.take()) co_await enrol(i, *ids);
            }
            co_return;
        }
        while (const auto ids = turns_.take()) co_await enrol(lane, *ids);
    }

    asio::awaitable<void> enrol(std::size_t number, Ids ids) {
        const Bytes request = devices_.request(number, ids);
        const Bytes answer = co_await exchange(number, request);
        const auto ip = checked(answer, request);
        if (!ip) co_return;
        const ByteView certificate = certificate_in(*ip);
        if (certificate.empty() || !settings_.confirm) co_return;

        ids.nonce = Turns::nonce_of(ids.transaction, 2);
        const Bytes confirm = devices_.confirm(
            number, ids, ip->header.sender_nonce.value_or(ByteView{}), certificate);
        const Bytes conf = co_await exchange(number, confirm);
        (void)checked(conf, confirm);
    }

    /// Empty: no answer.
    asio::awaitable<Bytes> exchange(std::size_t number, ByteView message) {
        Delivery delivery;
        delivery.der = message;
        delivery.label = settings_.label;
        delivery.deadline = BootClock::now() + settings_.timeout;
        worker_.random().fill(delivery.trace.octets);
        const auto since = SteadyClock::now();
        Sent sent = co_await couriers_[number]->send(delivery);
        if (auto* delivered = std::get_if<Delivered>(&sent)) {
            latencies_.add(SteadyClock::now() - since);
            co_return std::move(delivered->der);
        }
        if (const auto* rejected = std::get_if<RejectedByTransport>(&sent)) {
            failed("status " + std::to_string(rejected->status));
        } else if (const auto* not_sent = std::get_if<NotSent>(&sent)) {
            failed("not sent: " + std::string(not_sent->why));
        } else {
            failed("no answer: " + std::string(std::get<Unknown>(sent).why));
        }
        co_return Bytes{};
    }

    /// Empty: the answer says no.
    ByteView certificate_in(const cmp::PKIMessage& ip) {
        const auto at = static_cast<std::size_t>(ip.content.data() - ip.whole.data());
        const auto rep = cmp::parse_cert_rep(ip.content, at, {});
        const bool one = rep && rep->responses.size() == 1;
        if (one && !rep->responses[0].certificate.empty()) return rep->responses[0].certificate;
        failed(std::string(cmp::to_string(ip.type)) + " without certificate" +
               (one ? ", " + std::string(cmp::to_string(rep->responses[0].status.status)) : ""));
        return {};
    }

    /// The answer, if it is one to this request.
    std::optional<cmp::PKIMessage> checked(ByteView answer, ByteView request) {
        if (answer.empty()) return std::nullopt;
        const auto asked = cmp::parse_pki_message(request, {});
        const auto parsed = cmp::parse_pki_message(answer, {});
        if (!parsed || !asked) {
            failed("an answer that does not parse");
            return std::nullopt;
        }
        const BodyType wanted = asked->type == BodyType::certConf ? BodyType::pkiconf
                                : asked->type == BodyType::ir     ? BodyType::ip
                                                                  : BodyType::cp;
        const bool of_this = parsed->header.transaction_id &&
                             equal(*parsed->header.transaction_id, *asked->header.transaction_id);
        if (parsed->type == wanted && of_this) return *parsed;
        failed(std::string(cmp::to_string(parsed->type)) + " in answer to " +
               std::string(cmp::to_string(asked->type)) + (of_this ? "" : " of another"));
        return std::nullopt;
    }

    void failed(std::string what) {
        if (errors_++ == 0) first_error_ = std::move(what);
    }

    Worker& worker_;
    const LoadSettings& settings_;
    const Devices& devices_;
    Turns& turns_;
    HttpClientCounters counters_;
    std::vector<std::unique_ptr<Courier>> couriers_;
    Latencies latencies_;
    std::uint64_t errors_ = 0;
    std::string first_error_;
};

void report_fault(std::string_view where, std::exception_ptr fault) {
    try {
        std::rethrow_exception(std::move(fault));
    } catch (const std::exception& exception) {
        std::cerr << "cmpgate bench: " << where << ": " << exception.what() << '\n';
    }
}

}  // namespace

LoadResult run_load(const LoadSettings& settings, const Devices& devices) {
    transports::common::Workers workers{settings.threads, report_fault};
    LoadResult result;
    result.client_cpu = own_cpu_seconds();
    result.server_cpu = cpu_seconds_of(settings.server_pid);
    const auto begin = SteadyClock::now();
    Turns turns{settings, begin};
    std::vector<std::unique_ptr<Share>> shares;
    for (std::size_t i = 0; i < workers.size(); ++i)
        shares.push_back(std::make_unique<Share>(workers[i], settings, devices, turns));
    for (unsigned i = 0; i < settings.connections; ++i) shares[i % shares.size()]->add_connection();

    std::ptrdiff_t lanes = 0;
    for (const auto& share : shares) lanes += share->lanes();
    std::latch ended{lanes};
    for (const auto& share : shares) share->start(ended);
    workers.start();
    ended.wait();
    result.seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    result.client_cpu = own_cpu_seconds() - result.client_cpu;
    result.server_cpu = cpu_seconds_of(settings.server_pid) - result.server_cpu;

    if (settings.hold) {
        std::cout << "holding" << std::endl;
        while (std::cin.get() != std::istream::traits_type::eof()) {
        }
    }
    workers.stop();
    for (const auto& share : shares) {
        share->close();
        share->add_to(result);
    }
    return result;
}

}  // namespace ra::app::bench
