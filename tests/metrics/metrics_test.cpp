#include <doctest/doctest.h>

#include <deque>

#include "metrics/prometheus_text.h"

using namespace metrics;

namespace {

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_SUITE("metrics") {
    TEST_CASE("rendering adds the workers up") {
        std::deque<MessageCounters> workers;
        workers.emplace_back(2);
        workers.emplace_back(2);
        MessageCounters::Message message;
        message.listener = 1;
        message.operation = 0;
        message.decision = Decision::forwarded;
        message.octets_in = 700;
        message.octets_out = 1200;
        message.total = std::chrono::microseconds{900};
        message.upstream_wait = std::chrono::microseconds{300};
        message.verified = true;
        workers[0].count(message);
        workers[1].count(message);
        message.decision = Decision::refused;
        message.rule = "subject";
        message.upstream_wait = {};
        message.total = std::chrono::seconds{90};
        workers[1].count(message);
        message.decision = Decision::failed;
        message.rule = "no-answer";
        message.possibly_issued = true;
        workers[0].count(message);

        Snapshot snapshot;
        snapshot.listeners = {"a", "b"};
        snapshot.operations.assign(kOperations, "other");
        snapshot.operations[0] = "ir";
        snapshot.version = "1.2.3";
        for (const MessageCounters& worker : workers) snapshot.workers.push_back(&worker);
        snapshot.samples.push_back({"cmpgate_store_open", "Open.", true, {}, 7});
        const std::string text = prometheus_text(snapshot);
        INFO(text);
        CHECK(has_line(text, R"(cmpgate_build_info{version="1.2.3"} 1)"));
        CHECK(has_line(
            text, R"(cmpgate_messages_total{listener="b",operation="ir",decision="forwarded"} 2)"));
        CHECK(has_line(
            text, R"(cmpgate_messages_total{listener="b",operation="ir",decision="refused"} 1)"));
        CHECK(text.find(R"(cmpgate_messages_total{listener="a")") == std::string::npos);
        CHECK(has_line(text, R"(cmpgate_refusals_total{rule="subject"} 1)"));
        CHECK(has_line(text, R"(cmpgate_refusals_total{rule="no-answer"} 1)"));
        CHECK(has_line(text, R"(cmpgate_received_bytes_total{listener="b"} 2800)"));
        CHECK(has_line(text, R"(cmpgate_received_bytes_total{listener="a"} 0)"));
        CHECK(has_line(text, R"(cmpgate_message_seconds_bucket{le="0.001"} 2)"));
        CHECK(has_line(text, R"(cmpgate_message_seconds_bucket{le="60"} 2)"));
        CHECK(has_line(text, R"(cmpgate_message_seconds_bucket{le="+Inf"} 4)"));
        CHECK(has_line(text, "cmpgate_message_seconds_count 4"));
        CHECK(has_line(text, "cmpgate_upstream_seconds_count 2"));
        CHECK(has_line(text, "cmpgate_possibly_issued_total 1"));
        CHECK(has_line(text, "cmpgate_unverified_messages_total 0"));
        CHECK(has_line(text, "# TYPE cmpgate_store_open gauge"));
        CHECK(has_line(text, "cmpgate_store_open 7"));
    }

    TEST_CASE("decisions and durations out of the ordinary stay bounded") {
        CHECK(decision_of("forwarded") == Decision::forwarded);
        CHECK(decision_of("invented") == Decision::other);
        CHECK(decision_of("") == Decision::other);
        Histogram histogram;
        histogram.observe(std::chrono::nanoseconds{-5});
        histogram.observe(std::chrono::hours{24});
        CHECK(histogram.bucket(0) == 1);
        CHECK(histogram.bucket(Histogram::kBounds.size()) == 1);

        MessageCounters counters{1};
        MessageCounters::Message message;
        message.listener = 5;  // not there: not counted by listener, and nothing is overwritten
        message.operation = 99;
        counters.count(message);
        CHECK(counters.messages(0, kUnparsed, Decision::other) == 0);
    }

    TEST_CASE("rules beyond the table are counted together") {
        std::deque<std::string> names;
        RuleCounts counts;
        for (int i = 0; i < 200; ++i) counts.add(names.emplace_back("rule-" + std::to_string(i)));
        counts.add(names.front());
        const auto rows = counts.rows();
        CHECK(rows.size() == 129);
        CHECK(rows.front().count == 2);
        CHECK(rows.back().rule == "other");
        CHECK(rows.back().count == 72);
    }
}
