#include "tests/bench/load.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <unordered_map>
#include <vector>

#include "ra/base/random.h"
#include "tests/bench/messages.h"
#include "tests/bench/sockets.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;
using ra::cmp::BodyType;

class Load {
public:
    explicit Load(const LoadSettings& settings)
        : settings_{settings},
          ir_{opaque_ir(!settings.cert_conf)},
          epoll_{::epoll_create1(EPOLL_CLOEXEC)},
          ir_head_{head(ir_.der().size())},
          conf_head_{head(conf_.der().size())} {
        ra::SystemRandom{}.fill(run_);
        latencies_.reserve(settings.transactions * (settings.cert_conf ? 2 : 1));
    }

    LoadResult run() {
        connections_.resize(settings_.connections);
        for (std::size_t i = 0; i < connections_.size(); ++i) {
            connections_[i].socket = connect_to(settings_.port);
            epoll_event event{};
            event.events = EPOLLIN;
            event.data.u64 = i;
            if (::epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, connections_[i].socket.fd(), &event) != 0)
                throw std::runtime_error("epoll_ctl");
        }
        const Clock::time_point begin = Clock::now();
        const std::size_t first =
            settings_.hold ? std::min(kHoldWindow, connections_.size()) : connections_.size();
        for (std::size_t i = 0; i < first; ++i) begin_transaction(connections_[i]);
        std::array<epoll_event, 256> events{};
        while (open_ > 0) {
            const int count = ::epoll_wait(epoll_.fd(), events.data(), events.size(), kPatience);
            if (count == 0) throw std::runtime_error("no answer in 30 s");
            for (std::size_t i = 0; count > 0 && i < static_cast<std::size_t>(count); ++i) {
                take(connections_[events[i].data.u64]);
            }
        }
        result_.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
        if (settings_.hold) {
            std::puts("holding");
            std::fflush(stdout);
            while (std::getchar() != EOF) {
            }
        }
        return conclude();
    }

private:
    static constexpr int kPatience = 30'000;  // ms
    // Held connections are to be idle, not a burst: so many transactions at a time.
    static constexpr std::size_t kHoldWindow = 64;
    struct Connection {
        Socket socket;
        std::string in;
        Template::Id transaction{};
        BodyType sent{};
        Clock::time_point since;
    };

    [[nodiscard]] std::string head(std::size_t length) const {
        return "POST " + settings_.path +
               " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/pkixcmp\r\n"
               "Content-Length: " +
               std::to_string(length) + "\r\n\r\n";
    }

    void begin_transaction(Connection& connection) {
        if (begun_ == settings_.transactions) return;
        ++begun_;
        ++open_;
        connection.transaction = run_;
        std::memcpy(connection.transaction.data(), &begun_, sizeof begun_);
        send(connection, BodyType::ir, ir_head_, ir_);
    }

    void send(Connection& connection, BodyType type, const std::string& http_head,
              const Template& message) {
        out_ = http_head;
        // A nonce of its own for each message: the id with its last octet changed.
        Template::Id nonce = connection.transaction;
        nonce.back() = static_cast<std::uint8_t>(nonce.back() + 1 + static_cast<unsigned>(type));
        message.append(out_, connection.transaction, nonce, Template::sender_mark());
        connection.sent = type;
        connection.since = Clock::now();
        write_all(connection.socket.fd(), out_);
    }

    void take(Connection& connection) {
        if (!read_some(connection.socket.fd(), connection.in))
            throw std::runtime_error("the gateway closed a connection");
        const auto answer = http_message(connection.in);
        if (!answer) return;
        latencies_.push_back(Clock::now() - connection.since);
        const bool right = check(connection, *answer);
        connection.in.erase(0, answer->size);
        if (right && connection.sent == BodyType::ir && settings_.cert_conf) {
            send(connection, BodyType::certConf, conf_head_, conf_);
            return;
        }
        --open_;
        begin_transaction(settings_.hold ? connections_[begun_ % connections_.size()] : connection);
    }

    bool check(const Connection& connection, const HttpMessage& answer) {
        const BodyType wanted = connection.sent == BodyType::ir ? BodyType::ip : BodyType::pkiconf;
        const auto parsed = ra::cmp::parse_pki_message(ra::as_bytes(answer.body), {});
        if (parsed && parsed->type == wanted && parsed->header.transaction_id &&
            ra::equal(*parsed->header.transaction_id, connection.transaction))
            return true;
        if (result_.errors++ == 0) {
            result_.first_error = std::string(answer.head.substr(0, answer.head.find('\r')));
            if (parsed) result_.first_error += ", " + std::string(ra::cmp::to_string(parsed->type));
        }
        return false;
    }

    LoadResult conclude() {
        std::sort(latencies_.begin(), latencies_.end());
        const auto at = [this](double part) {
            const auto index =
                static_cast<std::size_t>(part * static_cast<double>(latencies_.size()));
            return std::chrono::duration<double, std::milli>(
                       latencies_.at(std::min(index, latencies_.size() - 1)))
                .count();
        };
        result_.messages = latencies_.size();
        result_.p50_ms = at(0.50);
        result_.p90_ms = at(0.90);
        result_.p99_ms = at(0.99);
        result_.max_ms = at(1);
        return result_;
    }

    LoadSettings settings_;
    Template ir_, conf_ = opaque_cert_conf();
    Socket epoll_;
    std::string ir_head_, conf_head_, out_;
    Template::Id run_{};  // no transactionID of another run comes again
    std::vector<Connection> connections_;
    std::uint64_t begun_ = 0, open_ = 0;
    std::vector<Clock::duration> latencies_;
    LoadResult result_;
};

}  // namespace

LoadResult run_load(const LoadSettings& settings) { return Load{settings}.run(); }

}  // namespace bench
