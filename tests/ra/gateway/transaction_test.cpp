#include "tests/ra/gateway/gate.h"

using namespace gateway_test;
using namespace std::chrono_literals;

TEST_SUITE("ra/gateway") {
    TEST_CASE("R-154: what follows comes on the path of the first message") {
        struct Row {
            const char* name;
            Way first, then;
            bool good;
        };
        const Row rows[] = {
            {"bare, bare", {}, {}, true},
            {"the same label and operation",
             {"line3", Operation::ir},
             {"line3", Operation::ir},
             true},
            {"the same label, bare", {"line3"}, {"line3"}, true},
            {"another label", {"line3", Operation::ir}, {"line4", Operation::ir}, false},
            {"without the label", {"line3"}, {}, false},
            {"without the operation", {"line3", Operation::ir}, {"line3"}, false},
            {"with an operation", {"line3"}, {"line3", Operation::ir}, false},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Gate gate;
            Device device{gate, "CN=a"};
            device.way = row.first;
            const Heard heard = device.begin(request(BodyType::ir, *new_key(), "CN=a"));
            REQUIRE(heard.type() == BodyType::ip);
            device.way = row.then;
            const Heard answer = device.next(labca_test::confirm(heard.certificate()));
            CHECK((answer.type() == BodyType::pkiconf) == row.good);
            if (row.good) continue;
            CHECK(gate.audit.rule == "label-mismatch");
            CHECK(answer.refused_for(PKIFailureInfo::badRequest));
            // Verified and wrong, it has ended the transaction.
            device.way = row.first;
            CHECK(device.next(labca_test::confirm(heard.certificate())).type() == BodyType::error);
        }
    }

    TEST_CASE("S-05: an undated message is remembered until its signer's certificate ends") {
        Gate gate;
        gate.profile.origin.undated = policy::OriginSettings::Undated::remember;
        gate.use();
        Device undated{gate, "CN=a"};
        undated.envelope.time.reset();
        undated.envelope.implicit_confirm = true;
        const auto& view = undated.envelope.credential->certificate->view();
        CHECK(undated.begin(request(BodyType::ir, *new_key(), "CN=a")).type() == BodyType::ip);
        const Bytes recorded = undated.last;

        Device dated{gate, "CN=b"};
        dated.envelope.implicit_confirm = true;
        CHECK(dated.begin(request(BodyType::ir, *new_key(), "CN=b")).type() == BodyType::ip);
        CHECK(gate.store.sizes().remembered == 2);

        gate.clock.pass(1h);  // beyond the horizon of what has a date
        gate.store.sweep();
        CHECK(gate.store.sizes().remembered == 1);
        gate.deliver(recorded);
        CHECK(gate.audit.decision == "repeated");

        // An hour before it ends it is refused still, or answered as before; then its chain is.
        gate.clock.pass(view.not_after - gate.clock.wall_now() - 1h);
        gate.store.sweep();
        CHECK(gate.store.sizes().remembered == 1);
        gate.deliver(recorded);
        CHECK(gate.audit.decision == "repeated");
        gate.clock.pass(2h);
        gate.store.sweep();
        CHECK(gate.store.sizes().remembered == 0);
        gate.deliver(recorded);
        CHECK(gate.audit.rule == "chain");
    }

    TEST_CASE("S-05: whoever only knows a senderKID fills a share of his own") {
        store::MemorySettings bounds;
        bounds.remembered_per_principal = 3;
        Gate gate{bounds};
        gate.profile.origin.kind = policy::OriginSettings::Kind::opaque;
        gate.use();
        const auto ask = [&gate](const char* peer) {
            Device one{gate, crypto::CredentialPtr{}};
            one.envelope.sender_kid = to_bytes(as_bytes("device 7"));
            one.way.peer = peer;
            one.begin(request(BodyType::ir, *new_key(), "CN=a"));
            return gate.audit.rule;
        };
        for (int i = 0; i < 3; ++i) CHECK(ask("198.51.100.9") == "");
        CHECK(ask("198.51.100.9") == "store-full");
        CHECK(gate.audit.detail == "remembered per principal");
        CHECK(ask("198.51.100.10") == "");
        // One IPv6 customer has all of his /64.
        for (int i = 0; i < 3; ++i)
            CHECK(ask(("2001:db8::" + std::to_string(i + 1)).c_str()) == "");
        CHECK(ask("2001:db8::4") == "store-full");
        CHECK(ask("2001:db8:0:1::1") == "");
    }
}
