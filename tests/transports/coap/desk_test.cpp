#include "transports/coap/desk.h"

#include <doctest/doctest.h>

#include "tests/transports/coap/requests.h"

using namespace coap_test;

namespace {

const std::string kMessage = text_of(700);

/// Sends `text` in blocks of `szx`; what the last one was answered with.
Desk::Action upload(DeskWorld& world, const std::string& text, std::uint8_t szx,
                    std::uint8_t from = 1) {
    const std::size_t size = Block{0, false, szx}.size();
    for (std::uint32_t number = 0;; ++number) {
        const bool more = (number + 1) * size < text.size();
        Asking asking;
        asking.from(from).body(text.substr(number * size, size)).block1(number, more, szx);
        Desk::Action action = world.take(asking);
        if (!more) return action;
        REQUIRE(code_of(action) == Code::continue_);
        REQUIRE(response_of(action).block1 == Block{number, true, szx});
    }
}

}  // namespace

TEST_SUITE("transports/coap") {
    TEST_CASE("desk: one message, one exchange, one answer of its own") {
        DeskWorld world;
        Asking asking{"/.well-known/cmp/p/line3/kur"};
        asking.body(kMessage);
        const Desk::Action action = world.take(asking);
        REQUIRE(begins(action));
        const auto& begun = std::get<Desk::Begin>(action);
        CHECK(ra::as_text(begun.body) == kMessage);
        CHECK(begun.label == "line3");
        CHECK(begun.operation == ra::Operation::kur);
        const auto sending =
            world.desk.answer(begun.id, answer("good"), Desk::Sent::separate, world.now);
        REQUIRE(sending.has_value());
        CHECK(sending->to == asking.request.from);
        CHECK(ra::as_text(sending->token) == "t");
        CHECK(sending->response.code == Code::changed);
        CHECK(sending->response.content_format == coap::kPkixCmp);
        CHECK(ra::as_text(sending->response.payload) == "good");
        CHECK_FALSE(sending->response.block2.has_value());
        CHECK(world.desk.open() == 0);
        CHECK(world.desk.undelivered() == 0);
    }

    TEST_CASE("desk: what is refused, and how") {
        struct Row {
            const char* name;
            Asking asking;
            Code want;
        };
        Asking wrong_format;
        wrong_format.body(kMessage).request.content_format = 42;
        Asking no_format;
        no_format.body(kMessage).request.content_format.reset();
        Asking accepts_other;
        accepts_other.body(kMessage).request.accept = 50;
        Asking large;
        large.body(text_of(600)).block1(0, true, 6);
        Asking announced;
        announced.body(text_of(1024)).block1(0, true, 6).request.size1 = 1U << 20U;
        Row rows[] = {
            {"another path", Asking{"/elsewhere"}.body(kMessage), Code::not_found},
            {"an operation of HTTP", Asking{"/.well-known/cmp/initialization"}.body(kMessage),
             Code::not_found},
            {"GET", Asking{"/.well-known/cmp", Code::get}, Code::method_not_allowed},
            {"DELETE", Asking{"/.well-known/cmp", static_cast<Code>(4)}, Code::method_not_allowed},
            {"POST of announcements", Asking{"/.well-known/cmp/ann"}.body(kMessage),
             Code::method_not_allowed},
            {"octet-stream", wrong_format, Code::unsupported_format},
            {"no format", no_format, Code::unsupported_format},
            {"accepts JSON", accepts_other, Code::not_acceptable},
            {"a short block that is not the last", large, Code::bad_request},
            {"1 MiB announced", announced, Code::request_too_large},
            {"a block in the middle", Asking{}.body(text_of(64)).block1(3, true, 2),
             Code::request_incomplete},
            {"a later block of no answer", Asking{}.block2(3, 2), Code::request_incomplete},
            {"BERT over UDP", Asking{}.body(text_of(1024)).block1(0, true, 7), Code::bad_request},
        };
        for (Row& row : rows) {
            CAPTURE(row.name);
            DeskWorld world;
            CHECK(code_of(world.take(row.asking)) == row.want);
            CHECK(world.desk.open() == 0);
            CHECK(world.desk.partials().size() == 0);
        }
    }

    TEST_CASE("desk: blocks of every size, both ways") {
        for (std::uint8_t szx = 0; szx <= 6; ++szx) {
            CAPTURE(static_cast<int>(szx));
            DeskWorld world;
            const std::string text = text_of(2800);
            const Desk::Action action = upload(world, text, szx);
            REQUIRE(begins(action));
            const auto& begun = std::get<Desk::Begin>(action);
            CHECK(ra::as_text(begun.body) == text);
            CHECK(world.desk.partials().octets() == 0);
            const auto sending =
                world.desk.answer(begun.id, answer(text_of(3000)), Desk::Sent::separate, world.now);
            REQUIRE(sending.has_value());
            CHECK(sending->response.size2 == 3000);
            CHECK(sending->response.block1.has_value());
            CHECK(world.desk.undelivered() == 1);
            CHECK(download(world, sending->response) == text_of(3000));
            CHECK(world.desk.undelivered() == 0);
        }
    }

    TEST_CASE("desk: 256 KiB are taken, one octet more is not") {
        DeskWorld world;
        const std::string most = text_of(256 * 1024);
        CHECK(begins(upload(world, most, 6)));
        Asking more;
        const Desk::Action refused = [&] {
            const std::string text = most + "x";
            for (std::uint32_t number = 0;; ++number) {
                const bool last = (number + 1) * 1024 >= text.size();
                Asking asking;
                asking.from(2).body(text.substr(number * 1024, 1024)).block1(number, !last, 6);
                Desk::Action action = world.take(asking);
                if (last || code_of(action) != Code::continue_) return action;
            }
        }();
        CHECK(code_of(refused) == Code::request_too_large);
        CHECK(response_of(refused).size1 == 256 * 1024);
        CHECK(world.desk.partials().size() == 0);
    }

    TEST_CASE("desk: the client's block size is kept to, the smaller one wins") {
        DeskWorld world;
        Asking asking;
        asking.body(kMessage).block2(0, 2);
        const Desk::Action action = world.take(asking);
        REQUIRE(begins(action));
        const auto sending =
            world.desk.answer(std::get<Desk::Begin>(action).id, answer(text_of(500)),
                              Desk::Sent::separate, world.now);
        CHECK(sending->response.block2 == Block{0, true, 2});
        // Asked for in a larger size: the offset counts, the size stays.
        Asking larger;
        larger.block2(1, 4);
        const Desk::Action next = world.take(larger);
        CHECK(response_of(next).block2 == Block{4, true, 2});
        CHECK(ra::as_text(response_of(next).payload) == text_of(500).substr(256, 64));
        Asking beyond;
        beyond.block2(40, 2);
        CHECK(code_of(world.take(beyond)) == Code::bad_request);
    }

    TEST_CASE("desk: blocks out of order, twice, of another format, of two bodies") {
        DeskWorld world;
        const auto block = [](std::uint32_t number, bool more, const std::string& text) {
            Asking asking;
            asking.body(text).block1(number, more, 2);
            return asking;
        };
        const std::string one = text_of(64);
        CHECK(code_of(world.take(block(0, true, one))) == Code::continue_);
        CHECK(code_of(world.take(block(2, true, one))) == Code::request_incomplete);
        CHECK(code_of(world.take(block(1, true, one))) == Code::continue_);
        CHECK(code_of(world.take(block(1, true, one))) == Code::continue_);  // its answer was lost
        Asking other_format = block(2, true, one);
        other_format.request.content_format = 42;
        CHECK(code_of(world.take(other_format)) == Code::unsupported_format);
        Asking tagged = block(0, true, one);
        const std::string tag = "tag";
        tagged.request.request_tag = ra::as_bytes(tag);
        CHECK(code_of(world.take(tagged)) == Code::continue_);
        CHECK(world.desk.partials().size() == 2);
        Asking stranger = block(2, false, one);
        CHECK(code_of(world.take(stranger.from(9))) == Code::request_incomplete);
        const Desk::Action action = world.take(block(2, false, "end"));
        REQUIRE(begins(action));
        CHECK(ra::as_text(std::get<Desk::Begin>(action).body) == one + one + "end");
        CHECK(world.desk.partials().size() == 1);
        world.now += 61s;
        world.desk.expire(world.now);
        CHECK(world.desk.partials().size() == 0);
        CHECK(world.desk.partials().octets() == 0);
    }

    TEST_CASE("desk: bodies are bounded in number, of one endpoint, and in octets") {
        coap::DeskSettings settings;
        settings.bodies.bodies = 8;
        settings.bodies.of_one = 2;
        settings.bodies.octets = 6 * 1024;
        DeskWorld world{settings};
        const auto begin_body = [&](std::uint8_t from, const std::string& path) {
            Asking asking{path};
            asking.from(from).body(text_of(1024)).block1(0, true, 6);
            return code_of(world.take(asking));
        };
        CHECK(begin_body(1, "/.well-known/cmp/ir") == Code::continue_);
        CHECK(begin_body(1, "/.well-known/cmp/cr") == Code::continue_);
        CHECK(begin_body(1, "/.well-known/cmp/rr") == Code::continue_);  // instead of the first
        CHECK(world.desk.partials().size() == 2);
        for (std::uint8_t from = 2; from < 6; ++from)
            CHECK(begin_body(from, "/.well-known/cmp") == Code::continue_);
        CHECK(world.desk.partials().octets() == 6 * 1024);
        CHECK(begin_body(7, "/.well-known/cmp") == Code::service_unavailable);
        world.now += 6s;  // who says no more gives way
        CHECK(begin_body(7, "/.well-known/cmp") == Code::continue_);
        CHECK(world.desk.partials().octets() == 6 * 1024);
    }

    TEST_CASE("desk: a repeated message begins nothing and gets the kept answer") {
        DeskWorld world;
        Asking asking;
        asking.body(kMessage);
        const Desk::Action action = world.take(asking);
        REQUIRE(begins(action));
        CHECK(waits(world.take(asking)));  // an empty acknowledgement again
        Asking other_token = asking;
        CHECK(begins(world.take(other_token.token("u"))));  // another message
        (void)world.desk.answer(std::get<Desk::Begin>(action).id, answer("good"),
                                Desk::Sent::separate, world.now);
        const Desk::Action again = world.take(asking);
        CHECK(code_of(again) == Code::changed);
        CHECK(ra::as_text(response_of(again).payload) == "good");
        world.now += 246s;
        world.desk.expire(world.now);
        CHECK(code_of(world.take(asking)) == Code::changed);
        world.now += 2s;  // EXCHANGE_LIFETIME: the id may be another message's
        world.desk.expire(world.now);
        CHECK(begins(world.take(asking)));
    }

    TEST_CASE("desk: later blocks are of the answer that was given, whatever came since") {
        DeskWorld world;
        const auto ask = [&](const char* token, const std::string& text) {
            Asking asking;
            asking.token(token).body(kMessage).validated();
            const Desk::Action action = world.take(asking);
            return world.desk.answer(std::get<Desk::Begin>(action).id, answer(text),
                                     Desk::Sent::separate, world.now);
        };
        (void)ask("a", text_of(3000));
        (void)ask("b", std::string(3000, 'b'));
        Asking of_a;
        of_a.token("a").block2(2, 6).validated();
        const Desk::Action one = world.take(of_a);
        CHECK(ra::as_text(response_of(one).payload) == text_of(3000).substr(2048));
        Asking latest;
        latest.token("c").block2(2, 6).validated();
        const Desk::Action two = world.take(latest);
        CHECK(ra::as_text(response_of(two).payload) == std::string(952, 'b'));
        CHECK(response_of(one).etag != response_of(two).etag);
        Asking stranger;
        stranger.from(3).token("a").block2(2, 6).validated();
        CHECK(code_of(world.take(stranger)) == Code::request_incomplete);
    }

    TEST_CASE("desk: exchanges are bounded, of all and of one") {
        coap::DeskSettings settings;
        settings.calls.open = 5;
        settings.calls.open_of_one = 3;
        DeskWorld world{settings};
        std::vector<coap::CallId> begun;
        const auto ask = [&](std::uint8_t from) {
            Asking asking;
            asking.from(from).body(kMessage);
            const Desk::Action action = world.take(asking);
            if (const auto* begins_one = std::get_if<Desk::Begin>(&action))
                begun.push_back(begins_one->id);
            return code_of(action);
        };
        for (int i = 0; i < 3; ++i) ask(1);
        CHECK(ask(1) == Code::service_unavailable);
        CHECK(begun.size() == 3);
        for (std::uint8_t from = 2; from < 5; ++from) ask(from);
        CHECK(begun.size() == 5);
        (void)world.desk.answer(begun[0], answer("x"), Desk::Sent::separate, world.now);
        ask(1);
        CHECK(begun.size() == 6);
        // Broken exchanges are answered as well.
        const auto broken =
            world.desk.answer(begun[1], std::nullopt, Desk::Sent::separate, world.now);
        CHECK(broken->response.code == Code::internal_server_error);
        CHECK_FALSE(
            world.desk.answer(9999, answer("x"), Desk::Sent::separate, world.now).has_value());
    }

    TEST_CASE("desk: kept answers are bounded in octets and for one endpoint") {
        coap::DeskSettings settings;
        settings.calls.kept_octets = 10'000;
        settings.calls.kept_of_one = 3;
        DeskWorld world{settings};
        for (int i = 0; i < 50; ++i) {
            Asking asking;
            asking.from(static_cast<std::uint8_t>(i % 7)).body(kMessage).validated();
            const Desk::Action action = world.take(asking);
            REQUIRE(begins(action));
            (void)world.desk.answer(std::get<Desk::Begin>(action).id, answer(text_of(1500)),
                                    Desk::Sent::separate, world.now);
            CHECK(world.desk.kept_octets() <= 10'000);
        }
    }

    TEST_CASE("desk: at the end nothing new is begun, what was begun is finished") {
        DeskWorld world;
        Asking asking;
        asking.body(kMessage).validated();
        const Desk::Action action = world.take(asking);
        world.desk.stop(true);
        CHECK(code_of(world.take(Asking{}.body(kMessage).validated())) ==
              Code::service_unavailable);
        const auto sending =
            world.desk.answer(std::get<Desk::Begin>(action).id, answer(text_of(3000)),
                              Desk::Sent::separate, world.now);
        REQUIRE(sending->response.block2.has_value());
        Asking more;
        more.block2(2, 6).validated();
        CHECK(response_of(world.take(more)).payload.size() == 952);
        CHECK(world.desk.undelivered() == 0);
    }
}
