#include "ra/upstream/client.h"

#include <doctest/doctest.h>

#include <deque>

#include "tests/support/fake_clock.h"
#include "tests/support/run.h"

using namespace ra;
using namespace std::chrono_literals;
using gateway::Answered;
using gateway::SubmitResult;
using gateway::UpstreamMessage;
using upstream::Client;
using upstream::ClientSettings;

namespace {

/// Ends deliveries as told, in order; then delivers.
class ScriptedCourier final : public Courier {
public:
    explicit ScriptedCourier(std::deque<Sent> script = {}) : script_{std::move(script)} {}

    asio::awaitable<Sent> send(Delivery delivery) override {
        ++sends;
        repeatable = delivery.repeatable;
        deadline = delivery.deadline;
        Sent sent = Delivered{to_bytes(delivery.der)};
        if (!script_.empty()) {
            sent = std::move(script_.front());
            script_.pop_front();
        }
        co_return sent;
    }
    asio::awaitable<bool> probe(Deadline) override {
        ++probes;
        co_return reachable;
    }
    void close() noexcept override {}

    int sends = 0, probes = 0;
    bool repeatable = false;
    Deadline deadline{};
    bool reachable = true;

private:
    std::deque<Sent> script_;
};

std::deque<Sent> times(int count, const Sent& sent) {
    return std::deque<Sent>(static_cast<std::size_t>(count), sent);
}

constexpr std::uint8_t kOctets[] = {0x30, 0x00};

SubmitResult submit(Client& client, std::optional<std::uint8_t> url = std::nullopt,
                    cmp::BodyType type = cmp::BodyType::ir) {
    UpstreamMessage message;
    message.der = kOctets;
    message.url = url;
    message.type = type;
    return test::run(client.submit(std::move(message)));
}

std::string_view why(const SubmitResult& result) {
    if (const auto* not_sent = std::get_if<NotSent>(&result)) return not_sent->why;
    if (const auto* unknown = std::get_if<Unknown>(&result)) return unknown->why;
    return "";
}

}  // namespace

TEST_SUITE("ra/upstream") {
    TEST_CASE("an answer has its own time, and never more than the message") {
        test::FakeClock clock;
        ScriptedCourier courier;
        ClientSettings settings;
        settings.answer_time = 25s;
        Client client{{&courier}, clock, settings};
        for (const auto& [left, want] : {std::pair{60s, 25s}, std::pair{10s, 10s}}) {
            UpstreamMessage message;
            message.der = kOctets;
            message.deadline = clock.boot_now() + left;
            (void)test::run(client.submit(std::move(message)));
            CHECK(courier.deadline == clock.boot_now() + want);
        }
    }

    TEST_CASE("S-04: another URL is tried only when no octet left") {
        struct Row {
            const char* name;
            Sent first;
            bool tries_next;
        };
        const Row rows[] = {
            {"refused", NotSent{"connect"}, true},
            {"no such name", NotSent{"name"}, true},
            {"no TLS", NotSent{"tls"}, true},
            {"reset after sending", Unknown{"reset"}, false},
            {"no answer in time", Unknown{"deadline"}, false},
            {"refused by status", RejectedByTransport{503, {}}, false},
            {"delivered", Delivered{Bytes{1}}, false},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            test::FakeClock clock;
            ScriptedCourier first{{row.first}};
            ScriptedCourier second;
            Client client{{&first, &second}, clock};
            const SubmitResult result = submit(client);
            CHECK(first.sends == 1);
            CHECK(second.sends == (row.tries_next ? 1 : 0));
            CHECK_FALSE(first.repeatable);
            if (row.tries_next) {
                REQUIRE(std::holds_alternative<Answered>(result));
                CHECK(std::get<Answered>(result).url == 1);
                CHECK(client.health(0).failed_over.get() == 1);
            }
        }
    }

    TEST_CASE("S-06: a follow-up goes where its transaction began, unless the nodes share it") {
        test::FakeClock clock;
        ScriptedCourier first;
        ScriptedCourier second{{NotSent{"connect"}, NotSent{"connect"}}};
        Client apart{{&first, &second}, clock};
        CHECK(why(submit(apart, 1, cmp::BodyType::certConf)) == "connect");
        CHECK(first.sends == 0);

        ClientSettings settings;
        settings.shared_state = true;
        Client shared{{&first, &second}, clock, settings};
        const SubmitResult result = submit(shared, 1, cmp::BodyType::certConf);
        REQUIRE(std::holds_alternative<Answered>(result));
        CHECK(std::get<Answered>(result).url == 0);
        CHECK(second.sends == 2);
        CHECK(why(submit(apart, 7, cmp::BodyType::certConf)) == "url");
    }

    TEST_CASE("Client: a URL that keeps failing is left alone, then tried once") {
        test::FakeClock clock;
        ScriptedCourier first{times(6, NotSent{"connect"})};
        ScriptedCourier second;
        ClientSettings settings;
        settings.breaker = {3, 1'000ms, 8'000ms};
        Client client{{&first, &second}, clock, settings};
        for (int i = 0; i < 10; ++i) CHECK(std::get<Answered>(submit(client)).url == 1);
        CHECK(first.sends == 3);
        CHECK(client.health(0).down.get() == 1);
        CHECK(client.health(0).opened.get() == 1);

        clock.pass(1s);
        CHECK(std::get<Answered>(submit(client)).url == 1);
        CHECK(first.sends == 4);
        clock.pass(1s);
        (void)submit(client);
        CHECK(first.sends == 4);  // twice as long this time

        // A probe closes it without a message at stake.
        clock.pass(1s);
        test::run(client.probe());
        CHECK(first.probes == 1);
        CHECK(client.health(0).down.get() == 0);
        ScriptedCourier unused;
        (void)submit(client);
        CHECK(first.sends == 5);
    }

    TEST_CASE("Client: with every URL down, messages end at once") {
        test::FakeClock clock;
        ScriptedCourier only{times(2, Unknown{"deadline"})};
        only.reachable = false;
        ClientSettings settings;
        settings.breaker = {2, 1'000ms, 8'000ms};
        Client client{{&only}, clock, settings};
        CHECK(why(submit(client)) == "deadline");
        CHECK(why(submit(client)) == "deadline");
        CHECK(why(submit(client)) == "circuit open");
        CHECK(only.sends == 2);
        test::run(client.probe());
        CHECK(only.probes == 0);  // not yet
        clock.pass(1s);
        test::run(client.probe());
        CHECK(only.probes == 1);
        CHECK(why(submit(client)) == "circuit open");
    }

    TEST_CASE("Client: our own bounds open no circuit") {
        test::FakeClock clock;
        ScriptedCourier only{times(5, NotSent{"busy"})};
        ClientSettings settings;
        settings.breaker = {1, 1'000ms, 8'000ms};
        Client client{{&only}, clock, settings};
        for (int i = 0; i < 5; ++i) CHECK(why(submit(client)) == "busy");
        CHECK(std::holds_alternative<Answered>(submit(client)));

        settings.concurrent = 0;
        Client narrow{{&only}, clock, settings};
        CHECK(why(submit(narrow)) == "busy");
        CHECK(narrow.turned_away().get() == 1);
    }

    TEST_CASE("Client: what changes nothing, or a CA recognises, may be repeated") {
        test::FakeClock clock;
        ScriptedCourier courier;
        Client strict{{&courier}, clock};
        (void)submit(strict, std::nullopt, cmp::BodyType::genm);
        CHECK(courier.repeatable);
        (void)submit(strict, std::nullopt, cmp::BodyType::kur);
        CHECK_FALSE(courier.repeatable);
        ClientSettings settings;
        settings.resend_identical = true;
        Client lenient{{&courier}, clock, settings};
        (void)submit(lenient, std::nullopt, cmp::BodyType::kur);
        CHECK(courier.repeatable);
    }
}
