#include "transports/coap/conversation.h"

#include <doctest/doctest.h>

#include "tests/transports/coap/requests.h"

using namespace coap_test;
using coap::Conversation;
using Ask = Conversation::Ask;
using Heard = Conversation::Heard;

namespace {

/// Talks to a desk until the end; how often it asked is in `asked`.
ra::Sent talk(DeskWorld& world, Conversation& conversation, const std::string& reply,
              std::uint8_t from, int& asked) {
    Ask ask = conversation.first();
    for (asked = 1; asked < 20'000; ++asked) {
        Asking asking;
        asking.from(from).token(std::to_string(asked));
        asking.payload = std::string{ra::as_text(ask.payload)};
        asking.echo_value = ra::to_bytes(ask.echo);
        asking.request.block1 = ask.block1;
        asking.request.block2 = ask.block2;
        asking.request.size1 = ask.size1;
        if (!ask.has_format) asking.request.content_format.reset();
        Desk::Action action = world.take(asking);
        coap::Response response;
        std::optional<Desk::Sending> sending;
        if (auto* begun = std::get_if<Desk::Begin>(&action)) {
            sending = world.desk.answer(begun->id, answer(reply), Desk::Sent::in_acknowledgement,
                                        world.now);
            response = sending->response;
        } else {
            response = response_of(action);
        }
        Heard heard;
        heard.code = response.code;
        if (response.content_format) heard.content_format = *response.content_format;
        heard.block1 = response.block1;
        heard.block2 = response.block2;
        heard.etag = response.etag;
        heard.echo = response.echo;
        heard.payload = response.payload;
        auto next = conversation.heard(heard);
        if (auto* sent = std::get_if<ra::Sent>(&next)) return std::move(*sent);
        ask = std::get<Ask>(next);
    }
    return ra::Unknown{"never"};
}

}  // namespace

TEST_SUITE("transports/coap") {
    TEST_CASE("Conversation: with our own desk, of every size, both ways") {
        for (const std::size_t up : {50U, 700U, 1024U, 1025U, 2800U, 262'144U}) {
            for (const std::size_t down : {1U, 1024U, 3000U, 200'000U}) {
                CAPTURE(up);
                CAPTURE(down);
                DeskWorld world;
                const std::string body = text_of(up);
                Conversation conversation{ra::as_bytes(body), {}};
                int asked = 0;
                const ra::Sent sent = talk(world, conversation, text_of(down), 1, asked);
                const auto* delivered = std::get_if<ra::Delivered>(&sent);
                REQUIRE(delivered != nullptr);
                CHECK((ra::as_text(delivered->der) == text_of(down)));
                CHECK(conversation.whole_sent());
            }
        }
    }

    TEST_CASE("S-04: a body that has not been sent whole cannot have been acted on") {
        const std::string body = text_of(2500);
        Conversation conversation{ra::as_bytes(body), {}};
        const Ask first = conversation.first();
        CHECK(first.block1 == Block{0, true, 6});
        CHECK(first.size1 == 2500);
        CHECK_FALSE(conversation.whole_sent());
        Heard next;
        next.code = Code::continue_;
        next.block1 = Block{0, true, 4};  // smaller ones, please
        const auto second = conversation.heard(next);
        CHECK(std::get<Ask>(second).block1 == Block{4, true, 4});
        CHECK_FALSE(conversation.whole_sent());
        next.block1 = Block{4, true, 4};
        for (int i = 0; i < 5; ++i) (void)conversation.heard(next);
        CHECK(conversation.whole_sent());
    }

    TEST_CASE("Conversation: what a server may not say") {
        const std::string body = text_of(700);
        struct Row {
            const char* name;
            Heard heard;
            const char* why;
        };
        Heard later;
        later.code = Code::changed;
        later.block2 = Block{3, false, 2};
        Heard ragged;
        ragged.code = Code::changed;
        ragged.block2 = Block{0, true, 2};
        ragged.payload = ra::as_bytes("x");
        Heard nothing;
        nothing.code = Code::changed;
        nothing.block2 = Block{0, true, 2};
        Heard goes_on;
        goes_on.code = Code::continue_;
        const Row rows[] = {{"a later block first", later, "malformed"},
                            {"a short block that is not the last", ragged, "malformed"},
                            {"an empty one", nothing, "malformed"},
                            {"2.31 to a whole body", goes_on, "malformed"}};
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Conversation conversation{ra::as_bytes(body), {}};
            (void)conversation.first();
            const auto next = conversation.heard(row.heard);
            const auto* sent = std::get_if<ra::Sent>(&next);
            REQUIRE(sent != nullptr);
            REQUIRE(std::holds_alternative<ra::Unknown>(*sent));
            CHECK(std::get<ra::Unknown>(*sent).why == row.why);
        }
        // Two answers in one, and one without end.
        const std::string block = text_of(64);
        for (const bool other_etag : {true, false}) {
            Conversation::Settings settings;
            settings.max_answer = 100;
            Conversation conversation{ra::as_bytes(body), settings};
            (void)conversation.first();
            Heard part;
            part.code = Code::changed;
            part.payload = ra::as_bytes(block);
            part.block2 = Block{0, true, 2};
            part.etag = ra::as_bytes("1");
            CHECK(std::get<Ask>(conversation.heard(part)).block2 == Block{1, false, 2});
            part.block2 = Block{1, true, 2};
            if (other_etag) part.etag = ra::as_bytes("2");
            const auto next = conversation.heard(part);
            CHECK(std::get<ra::Unknown>(std::get<ra::Sent>(next)).why ==
                  (other_etag ? "malformed" : "too large"));
        }
    }

    TEST_CASE("Conversation: refusals, with and without CMP in them") {
        const std::string body = text_of(100);
        struct Row {
            Code code;
            std::optional<std::uint32_t> format;
            std::string content;
            unsigned status;
        };
        const Row rows[] = {{Code::bad_request, coap::kPkixCmp, "error", 400},
                            {Code::not_found, 0, "no such path", 404},
                            {Code::changed, 42, "octets", 200},
                            {Code::changed, coap::kPkixCmp, "", 200},
                            {Code::service_unavailable, {}, "", 503}};
        for (const Row& row : rows) {
            CAPTURE(row.status);
            Conversation conversation{ra::as_bytes(body), {}};
            (void)conversation.first();
            Heard heard;
            heard.code = row.code;
            heard.content_format = row.format;
            heard.payload = ra::as_bytes(row.content);
            const auto next = conversation.heard(heard);
            const auto* rejected = std::get_if<ra::RejectedByTransport>(&std::get<ra::Sent>(next));
            REQUIRE(rejected != nullptr);
            CHECK(rejected->status == row.status);
            CHECK(rejected->der.empty() == (row.content != "error"));
        }
        // Echo is shown once.
        Conversation conversation{ra::as_bytes(body), {}};
        (void)conversation.first();
        Heard challenge;
        challenge.code = Code::unauthorized;
        challenge.echo = ra::as_bytes("cookie");
        const Ask again = std::get<Ask>(conversation.heard(challenge));
        CHECK(ra::as_text(again.echo) == "cookie");
        CHECK(ra::as_text(again.payload) == body);
        const auto end = conversation.heard(challenge);
        CHECK(std::get<ra::RejectedByTransport>(std::get<ra::Sent>(end)).status == 401);
    }
}
