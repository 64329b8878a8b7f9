#include <doctest/doctest.h>

#include "tests/transports/coap/requests.h"
#include "transports/coap/desk.h"

using namespace coap_test;

namespace {

ra::Bytes echo_of(DeskWorld& world, std::uint8_t from = 1) {
    return world.desk.peers().echo_for(endpoint(from), world.now);
}

}  // namespace

TEST_SUITE("transports/coap") {
    TEST_CASE("S-31: an address that shows nothing gets three times its octets at most") {
        // An answer that is much larger than its request, asked for in someone else's name.
        DeskWorld world;
        Asking asking;
        asking.body(text_of(500));
        std::size_t received = asking.made().octets;
        const Desk::Action action = world.take(asking);
        REQUIRE(begins(action));
        const auto sending =
            world.desk.answer(std::get<Desk::Begin>(action).id, answer(text_of(60'000)),
                              Desk::Sent::separate, world.now);
        REQUIRE(sending.has_value());
        CHECK(sending->transmissions <= 3);
        std::size_t sent = sending->transmissions * coap::octets_of(sending->response, 1);
        CHECK(sent <= 3 * received);
        // It goes on asking: blocks so small that each is paid for, or none at all.
        for (std::uint32_t number = 1; number < 400; ++number) {
            Asking more;
            more.block2(number, 6);
            received += more.made().octets;
            const Desk::Action next = world.take(more);
            if (const auto* respond = std::get_if<Desk::Respond>(&next))
                sent += coap::octets_of(respond->response, 1);
            REQUIRE(sent <= 3 * received);
        }
        // The one who is there sends the cookie back and is served at once.
        Asking there;
        there.block2(1, 6).echo(echo_of(world));
        const std::size_t size = sending->response.block2->size();
        const Desk::Action served = world.take(there);
        CHECK(code_of(served) == Code::changed);
        CHECK(response_of(served).payload.size() == size);
    }

    TEST_CASE("S-31: a device without Echo still gets its answer") {
        DeskWorld world;
        Asking asking;
        asking.body(text_of(500));
        const Desk::Action action = world.take(asking);
        REQUIRE(begins(action));
        const auto sending =
            world.desk.answer(std::get<Desk::Begin>(action).id, answer(text_of(9000)),
                              Desk::Sent::separate, world.now);
        CHECK(download(world, sending->response) == text_of(9000));
    }

    TEST_CASE("S-31: a short request is asked to show its address first") {
        DeskWorld world;
        Asking asking;
        asking.body(text_of(100));
        const Desk::Action action = world.take(asking);
        CHECK(code_of(action) == Code::unauthorized);
        CHECK(response_of(action).echo.size() == 12);
        const ra::Bytes echo = response_of(action).echo;
        struct Row {
            const char* name;
            ra::Bytes echo;
            std::uint8_t from;
            std::chrono::seconds later;
            bool good;
        };
        ra::Bytes flipped = echo;
        flipped[7] ^= 1U;
        ra::Bytes longer = echo;
        longer.push_back(0);
        const Row rows[] = {
            {"none", {}, 1, 0s, false},
            {"another", flipped, 1, 0s, false},
            {"a longer one", longer, 1, 0s, false},
            {"of another address", echo, 2, 0s, false},
            {"too old", echo, 1, 301s, false},
            {"from the future", echo, 1, -2s, false},
            {"its own", echo, 1, 0s, true},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            world.now += row.later;
            Asking again;
            again.from(row.from).body(text_of(100)).echo(row.echo);
            CHECK(begins(world.take(again)) == row.good);
            world.now -= row.later;
        }
        // From then on it is believed, for a while.
        CHECK(begins(world.take(Asking{}.body(text_of(100)))));
        world.now += 301s;
        CHECK(code_of(world.take(Asking{}.body(text_of(100)))) == Code::unauthorized);
        // DTLS and TCP need none of it.
        CHECK(begins(world.take(Asking{}.from(5).body(text_of(100)).validated())));
    }

    TEST_CASE("desk: addresses whose octets are counted are bounded") {
        coap::DeskSettings settings;
        settings.peers = 16;
        DeskWorld world{settings};
        for (int i = 0; i < 200; ++i) {
            (void)world.take(Asking{"/elsewhere"}.from(static_cast<std::uint8_t>(i)));
            CHECK(world.desk.peers().size() <= 16);
        }
    }

    TEST_CASE("desk: discovery fits what the asker has paid for, and is whole in the end") {
        coap::DeskSettings settings;
        for (int i = 0; i < 40; ++i) settings.labels.push_back("line-" + std::to_string(i));
        DeskWorld world{settings};
        std::string text;
        std::size_t received = 0;
        std::size_t sent = 0;
        for (std::uint32_t number = 0;; ++number) {
            Asking asking{"/.well-known/core", Code::get};
            if (number != 0) asking.request.block2 = Block::of(number);
            if (number != 0) asking.block2(static_cast<std::uint32_t>(text.size() / 16), 0);
            received += asking.made().octets;
            const Desk::Action action = world.take(asking);
            const coap::Response& response = response_of(action);
            REQUIRE(response.code == Code::content);
            CHECK(response.content_format == coap::kLinkFormat);
            sent += coap::octets_of(response, 1);
            CHECK(sent <= 3 * received);
            text += ra::as_text(response.payload);
            if (!response.block2 || !response.block2->more) break;
        }
        CHECK(text == coap::describe_links({}, settings.labels));
        Asking validated{"/.well-known/core", Code::get};
        validated.validated();
        CHECK(response_of(world.take(validated)).payload.size() == 1024);
        Asking wants_cbor{"/.well-known/core", Code::get};
        wants_cbor.request.accept = 60;
        CHECK(code_of(world.take(wants_cbor)) == Code::not_acceptable);
    }

    TEST_CASE("desk: announcements go to who registered and was there") {
        coap::DeskSettings settings;
        settings.observers = 2;
        DeskWorld world{settings};
        const auto registers = [](std::uint8_t from, const char* token, std::uint32_t observe) {
            Asking asking{"/.well-known/cmp/ann", Code::get};
            asking.from(from).token(token).request.observe = observe;
            return asking;
        };
        CHECK(code_of(world.take(registers(1, "a", 0))) == Code::unauthorized);
        CHECK(world.desk.observers().size() == 0);
        Asking one = registers(1, "a", 0);
        const Desk::Action registered = world.take(one.echo(echo_of(world)));
        CHECK(code_of(registered) == Code::content);
        CHECK(response_of(registered).observe.has_value());
        CHECK(response_of(registered).payload.empty());
        CHECK(response_of(world.take(registers(2, "b", 0).validated())).observe.has_value());
        CHECK(response_of(world.take(registers(1, "a", 0))).observe.has_value());  // again
        CHECK(world.desk.observers().size() == 2);
        // No room: an answer without Observe (RFC 7641 4.1).
        const Desk::Action full = world.take(registers(3, "c", 0).validated());
        CHECK(code_of(full) == Code::content);
        CHECK_FALSE(response_of(full).observe.has_value());

        const std::string crl = text_of(2500);
        auto sent = world.desk.publish(ra::to_bytes(ra::as_bytes(crl)), world.now);
        REQUIRE(sent.size() == 2);
        CHECK(ra::as_text(sent[0].token) == "a");
        CHECK(sent[0].confirmable);
        CHECK(sent[0].response.content_format == coap::kPkixCmp);
        const std::uint32_t first = sent[0].response.observe.value();
        CHECK(sent[0].response.block2 == Block{0, true, 6});
        CHECK(ra::as_text(sent[0].response.payload) == crl.substr(0, 1024));
        Asking later{"/.well-known/cmp/ann", Code::get};
        later.from(2).block2(2, 6).validated();
        const Desk::Action last = world.take(later);
        CHECK(ra::as_text(response_of(last).payload) == crl.substr(2048));
        CHECK(response_of(last).etag == sent[0].response.etag);

        world.desk.unobserve(endpoint(1), ra::as_bytes("a"));
        sent = world.desk.publish(ra::Bytes{1, 2, 3}, world.now);
        REQUIRE(sent.size() == 1);
        CHECK(sent[0].response.observe.value() > first);
        (void)world.take(registers(2, "b", 1).validated());  // deregisters
        CHECK(world.desk.observers().size() == 0);
        (void)world.take(registers(2, "b", 0).validated());
        world.desk.forget(endpoint(2));
        CHECK(world.desk.observers().size() == 0);
        (void)world.take(registers(2, "b", 0).validated());
        world.now += std::chrono::hours{25};
        CHECK(world.desk.publish(ra::Bytes{4}, world.now).empty());
    }
}
