#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "ra/app/audit.h"

using namespace ra::app;
using Format = config::LogConfig::Format;

TEST_SUITE("ra/app") {
    TEST_CASE("log: no octet of a message leaves its field") {
        const std::string nasty =
            "CN=a\n2026 info message decision=forwarded\x1b[31m \"q\" \\ \xff\xc2\x85";
        const std::vector<Field> fields{{"sender", std::string_view{nasty}},
                                        {"in", std::int64_t{5}},
                                        {"ms", 1.5},
                                        {"verified", true},
                                        {"none", std::string_view{}}};
        const std::string text =
            render_line(Format::text, "T", Log::Level::warning, "message", fields);
        CHECK(text.find('\n') == std::string::npos);
        CHECK(text.find('\x1b') == std::string::npos);
        CHECK(text.find("\xc2\x85") == std::string::npos);  // C1 "next line"
        CHECK(
            text.starts_with("T warning message sender=\"CN=a\\x0a2026 info message "
                             "decision=forwarded\\x1b[31m \\\"q\\\" \\\\ "));
        CHECK(text.ends_with("in=5 ms=1.500 verified=yes none=\"\""));

        const std::string json =
            render_line(Format::json, "T", Log::Level::warning, "message", fields);
        CHECK(json.find('\n') == std::string::npos);
        const boost::json::object object = boost::json::parse(json).as_object();
        CHECK(object.at("event") == "message");
        CHECK(object.at("level") == "warning");
        CHECK(object.at("in") == 5);
        CHECK(object.at("verified") == true);
        CHECK(object.at("sender").as_string().starts_with("CN=a\n2026"));
    }

    TEST_CASE("audit: one message is one count of each kind") {
        config::LogConfig settings;
        settings.level = config::LogConfig::Level::error;
        Log log{settings};
        metrics::MessageCounters counters{2};
        const std::vector<std::string> listeners{"a", "b"};
        WorkerAudit audit{log, counters, listeners};
        ra::gateway::Ended ended;
        ended.listener = ra::ListenerId{1};
        ended.request = ra::cmp::BodyType::ir;
        ended.decision = "refused";
        ended.rule = "subject";
        ended.octets_in = 700;
        ended.octets_out = 300;
        audit.record(ended);
        CHECK(counters.messages(1, 0, metrics::Decision::refused) == 1);
        CHECK(counters.messages(0, 0, metrics::Decision::refused) == 0);
        CHECK(counters.octets_in(1) == 700);
        REQUIRE(counters.rules().rows().size() == 1);
        CHECK(counters.rules().rows()[0].rule == "subject");

        ended.request.reset();
        ended.decision = "forwarded";
        ended.rule = {};
        audit.record(ended);
        CHECK(counters.messages(1, metrics::kUnparsed, metrics::Decision::forwarded) == 1);
        CHECK(counters.unverified() == 1);
    }
}
