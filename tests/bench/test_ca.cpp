#include "tests/bench/test_ca.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <deque>
#include <stdexcept>
#include <unordered_map>

#include "tests/bench/messages.h"
#include "tests/bench/sockets.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

class TestCa {
public:
    TestCa(std::uint16_t port, std::chrono::milliseconds delay)
        : delay_{delay}, listener_{listen_on(port)}, epoll_{::epoll_create1(EPOLL_CLOEXEC)} {
        watch(listener_.fd());
        std::printf("listening on %u\n", unsigned{port});
        std::fflush(stdout);
    }

    [[noreturn]] void run() {
        std::array<epoll_event, 256> events{};
        for (;;) {
            const int count = ::epoll_wait(epoll_.fd(), events.data(), events.size(), wait_time());
            for (std::size_t i = 0; count > 0 && i < static_cast<std::size_t>(count); ++i) {
                const int fd = events[i].data.fd;
                if (fd == listener_.fd()) {
                    accept_all();
                } else {
                    serve(fd);
                }
            }
            send_due();
        }
    }

private:
    struct Client {
        Socket socket;
        std::uint64_t number;  // descriptors are used again
        std::string in;
    };
    struct Due {
        Clock::time_point when;
        int fd;
        std::uint64_t number;
        std::string answer;
    };

    void watch(int fd) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = fd;
        if (::epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, fd, &event) != 0)
            throw std::runtime_error("epoll_ctl");
    }

    void accept_all() {
        for (;;) {
            Socket accepted{
                ::accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
            const int fd = accepted.fd();
            if (fd < 0) return;
            set_nodelay(fd);
            watch(fd);
            clients_.insert_or_assign(fd, Client{std::move(accepted), ++accepted_, {}});
        }
    }

    void serve(int fd) {
        const auto client = clients_.find(fd);
        if (client == clients_.end()) return;
        std::string& in = client->second.in;
        if (!read_some(fd, in)) {
            clients_.erase(client);
            return;
        }
        while (const auto request = http_message(in)) {
            std::string answer = answer_to(request->body);
            in.erase(0, request->size);
            if (delay_.count() == 0) {
                write_all(fd, answer);
            } else {
                due_.push_back(
                    {Clock::now() + delay_, fd, client->second.number, std::move(answer)});
            }
        }
    }

    std::string answer_to(std::string_view request) {
        const auto parsed = ra::cmp::parse_pki_message(ra::as_bytes(request), {});
        if (!parsed || !parsed->header.transaction_id || !parsed->header.sender_nonce)
            throw std::runtime_error("what came is no PKIMessage with its ids");
        const Template& made = parsed->type == ra::cmp::BodyType::certConf ? pkiconf_
                               : parsed->header.implicit_confirm()         ? confirmed_ip_
                                                                           : ip_;
        std::string out =
            "HTTP/1.1 200 OK\r\nContent-Type: application/pkixcmp\r\nContent-Length: " +
            std::to_string(made.der().size()) + "\r\n\r\n";
        // Its own nonce repeats: whoever checks it keeps it by transaction.
        made.append(out, *parsed->header.transaction_id, Template::sender_mark(),
                    *parsed->header.sender_nonce);
        return out;
    }

    void send_due() {
        const Clock::time_point now = Clock::now();
        for (; !due_.empty() && due_.front().when <= now; due_.pop_front()) {
            const auto client = clients_.find(due_.front().fd);
            if (client != clients_.end() && client->second.number == due_.front().number)
                write_all(due_.front().fd, due_.front().answer);
        }
    }

    [[nodiscard]] int wait_time() const {
        if (due_.empty()) return -1;
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(due_.front().when - Clock::now());
        return left.count() > 0 ? static_cast<int>(left.count()) : 0;
    }

    std::chrono::milliseconds delay_;
    Socket listener_, epoll_;
    Template ip_ = opaque_ip(false), confirmed_ip_ = opaque_ip(true), pkiconf_ = opaque_pkiconf();
    std::unordered_map<int, Client> clients_;
    std::deque<Due> due_;  // all wait equally long: in order
    std::uint64_t accepted_ = 0;
};

}  // namespace

void serve_test_ca(std::uint16_t port, std::chrono::milliseconds delay) {
    TestCa{port, delay}.run();
}

}  // namespace bench
