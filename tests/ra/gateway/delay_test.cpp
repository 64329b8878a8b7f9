#include "ra/gateway/delay.h"

#include <map>

#include "ra/gateway/announcer.h"
#include "tests/ra/gateway/hops.h"

using namespace hops;

namespace {

/// A CA that answers when somebody carries files: what it was given, and what was brought for it.
class Spool final : public gateway::Upstream {
public:
    asio::awaitable<gateway::SubmitResult> submit(gateway::UpstreamMessage message) override {
        const std::string ticket{message.ticket};
        CHECK_FALSE(ticket.empty());
        requests[ticket] = to_bytes(message.der);
        co_return gateway::Pending{};
    }
    asio::awaitable<gateway::SubmitResult> collect(std::string_view ticket) override {
        const auto found = answers.find(std::string(ticket));
        if (found != answers.end()) co_return gateway::Answered{found->second, 0};
        if (requests.contains(std::string(ticket))) co_return gateway::Pending{};
        co_return Unknown{"carried away"};
    }
    asio::awaitable<void> settle(std::string_view ticket, std::string_view refused_by) override {
        answers.erase(std::string(ticket));
        settled.emplace_back(refused_by);
        co_return;
    }
    std::map<std::string, Bytes> requests, answers;
    std::vector<std::string> settled;
};

struct Hearer final : gateway::Announcer {
    bool announce(ByteView message, const crypto::Sha256&) override {
        heard.push_back(to_bytes(message));
        return heard.size() == 1;
    }
    std::vector<Bytes> heard;
};

/// One gateway before such a CA, with a device.
struct World {
    explicit World(bool ee_trusts_ra = true, Treatment treatment = Treatment::forward)
        : profile{device_profile()} {
        profile->ee_trusts_ra = ee_trusts_ra;
        profile->treatments.otherwise = treatment;
        auto settings = std::make_shared<gateway::Settings>();
        settings->profiles = {profile};
        gateway::UpstreamSettings to;
        to.name = "ca";
        to.responder.trust = crypto::TrustStore::of({site.ca.certificate()});
        to.responder.ekus = {to_bytes(cmp::oid::kCmcCa.view())};
        to.credential = own;
        to.check_after = std::chrono::seconds{7};
        to.announces_on = {ListenerId{1}};
        settings->upstreams.emplace("ca", std::move(to));
        settings->reply_credential = own;
        settings->credentials = {own};
        use(settings);
        gateway::Services services{store,      inventory, audit,       pool,
                                   site.clock, timers,    site.random, chains};
        services.announcer = &hearer;
        made.emplace(services, snapshot);
        device.implicit_confirm = true;
    }
    /// Whoever has this certificate speaks for the CA from now on.
    void allow(const crypto::CredentialPtr& speaker) {
        auto settings = std::make_shared<gateway::Settings>(*snapshot->settings);
        gateway::ResponderAuthority& responder = settings->upstreams.at("ca").responder;
        responder.trust = crypto::TrustStore::of({site.ca.certificate(), RaPki::get().root});
        responder.pinned = {speaker->certificate};
        ++settings->generation;
        use(settings);
        made->use(snapshot, site.clock.boot_now());
    }
    void use(gateway::SettingsPtr settings) {
        auto next = std::make_shared<gateway::Snapshot>();
        next->settings = std::move(settings);
        next->upstreams["ca"] = {std::shared_ptr<void>{}, &spool};
        snapshot = std::move(next);
    }
    [[nodiscard]] gateway::Gateway& gateway() { return *made; }
    [[nodiscard]] Heard begin() {
        return device.begin(gateway(), cert_request(BodyType::ir, *key, subject()));
    }
    [[nodiscard]] Heard poll() {
        device.implicit_confirm = false;  // belongs to the first message
        return device.next(gateway(), cmp::build_poll_req_body(0));
    }
    [[nodiscard]] Bytes subject() const { return to_bytes(device.own().certificate->subject()); }
    /// What the CA says to the only request that waits.
    [[nodiscard]] Bytes asked() {
        Arrival arrival;
        arrival.der = spool.requests.begin()->second;
        arrival.deadline = site.clock.boot_now() + std::chrono::seconds{30};
        return std::get<Answer>(test::run(site.ca.exchange(std::move(arrival)))).der;
    }
    void bring(Bytes answer) {
        spool.answers[spool.requests.begin()->first] = std::move(answer);
        spool.requests.clear();
    }

    Site site;
    std::shared_ptr<policy::Profile> profile;
    crypto::CredentialPtr own = RaPki::get().ra("CN=Gateway 1,O=Example");
    crypto::PrivateKeyPtr key = crypto::PrivateKey::generate("ec:P-256");
    Spool spool;
    Hearer hearer;
    LastEnded audit;
    InlinePool pool;
    NoTimers timers;
    crypto::ChainVerifier chains{site.clock};
    store::Memory store{site.clock, site.random};
    store::MemoryInventory inventory;
    gateway::SnapshotPtr snapshot;
    std::optional<gateway::Gateway> made;
    Device device{site.clock, Pki::get().devices.front().credential};
};

std::int64_t check_after(const Heard& heard) {
    return cmp::parse_poll_rep(heard.message->content, 0, {}).value().at(0).check_after;
}

}  // namespace

TEST_SUITE("ra/gateway") {
    TEST_CASE("S-47: the device waits, polls, and gets the CA's answer as it came") {
        World world;
        const Heard first = world.begin();
        CHECK(first.type() == BodyType::ip);
        CHECK(first.status().status == PKIStatus::waiting);
        CHECK(first.cert().cert_req_id == 0);
        CHECK(first.signed_by(*world.own));
        CHECK(world.audit.decision == "forwarded");
        REQUIRE(world.spool.requests.size() == 1);
        CHECK(world.spool.requests.begin()->second == world.device.sent);

        const Bytes answer = world.asked();
        for (int i = 0; i < 3; ++i) {
            const Heard poll = world.poll();
            CHECK(poll.type() == BodyType::pollRep);
            CHECK(check_after(poll) == 7);
            CHECK(poll.signed_by(*world.own));
            CHECK(world.audit.decision == "waiting");
            world.site.clock.pass(std::chrono::minutes{10});  // open_time is five
        }
        CHECK(world.spool.requests.size() == 1);

        world.bring(answer);
        const Heard got = world.poll();
        CHECK(got.der == answer);
        CHECK_FALSE(got.certificate().empty());
        CHECK(world.spool.settled == std::vector<std::string>{""});
        CHECK(world.store.sizes().open == 0);
        // Again the same: it is kept like any answer.
        CHECK(world.device.deliver(world.gateway(), world.device.sent).der == answer);
    }

    TEST_CASE("S-47: certConf may be told to wait, too, with the whole message") {
        World world;
        world.device.implicit_confirm = false;
        (void)world.begin();
        world.bring(world.asked());
        const Heard got = world.poll();
        REQUIRE(got.type() == BodyType::ip);
        const Heard waits = world.device.next(world.gateway(), confirm(got.certificate()));
        CHECK(waits.type() == BodyType::error);
        CHECK(waits.status().status == PKIStatus::waiting);
        const Heard poll = world.device.next(world.gateway(), cmp::build_poll_req_body(-1));
        CHECK(poll.type() == BodyType::pollRep);
        CHECK(cmp::parse_poll_rep(poll.message->content, 0, {}).value().at(0).cert_req_id == -1);
        world.bring(world.asked());
        CHECK(world.device.next(world.gateway(), cmp::build_poll_req_body(-1)).type() ==
              BodyType::pkiconf);
        CHECK(world.store.sizes().open == 0);
    }

    TEST_CASE("S-47: without ee_trusts_ra nothing is sent where the CA's answers go on unchanged") {
        for (const bool said : {false, true}) {
            CAPTURE(said);
            World world{said};
            const Heard got = world.begin();
            if (said) {
                CHECK(got.status().status == PKIStatus::waiting);
                continue;
            }
            CHECK(got.refused_for(PKIFailureInfo::systemUnavail));
            CHECK(world.audit.rule == "delay");
            CHECK(world.spool.requests.empty());
            CHECK(world.store.sizes().open == 0);
        }
    }

    TEST_CASE("S-01: a file that is no answer of the CA to this ends nothing") {
        World world;
        (void)world.begin();
        const Bytes answer = world.asked();
        struct Row {
            const char* name;
            Bytes file;
            const char* rule;
        };
        Bytes changed = answer;
        const Heard whole{answer};
        const ByteView protection = *whole.message->protection;
        const auto at = static_cast<std::size_t>(protection.data() - whole.message->whole.data());
        changed[at + protection.size() / 2] ^= 1;
        const Row rows[] = {
            {"the request", world.device.sent, "answer-recip-nonce"},
            {"cut", Bytes(answer.begin(), answer.end() - 1), "answer-parse"},
            {"an octet changed", changed, "responder-signature"},
        };
        const std::string ticket = world.spool.requests.begin()->first;
        for (const Row& row : rows) {
            CAPTURE(row.name);
            world.spool.settled.clear();
            world.spool.answers[ticket] = row.file;
            CHECK(world.poll().type() == BodyType::pollRep);
            REQUIRE(world.spool.settled.size() == 1);
            CHECK(gateway::is_stray(world.spool.settled.front()));
            CHECK(world.spool.settled.front() == row.rule);
        }
        world.bring(answer);
        CHECK(world.poll().der == answer);
    }

    TEST_CASE("S-05: a repetition of the first message hears the same word") {
        World world;
        const Heard first = world.begin();
        const Bytes sent = world.device.sent;
        CHECK(world.device.deliver(world.gateway(), sent).der == first.der);
        CHECK(world.audit.decision == "repeated");
        CHECK(world.spool.requests.size() == 1);
    }

    TEST_CASE("S-47: re-protected, all the device ever hears is the gateway's own") {
        World world{false, Treatment::reprotect};
        CHECK(world.begin().signed_by(*world.own));
        CHECK(world.poll().signed_by(*world.own));
        CHECK(Heard{world.spool.requests.begin()->second}.signed_by(*world.own));
        const Bytes answer = world.asked();
        const Bytes delayed = to_bytes(*Heard{answer}.header().recip_nonce);
        world.bring(answer);
        const Heard got = world.poll();
        CHECK(got.signed_by(*world.own));
        CHECK_FALSE(got.certificate().empty());
        // who started the delay may say it with the last pollReq's nonce.
        CHECK(to_bytes(*got.header().recip_nonce) == world.device.sender_nonce);
        CHECK(delayed != world.device.sender_nonce);
    }

    TEST_CASE("tickets: of transaction and nonce, the same after a restart") {
        const Bytes id(16, 1), nonce(16, 2), other(16, 3);
        const std::string ticket = gateway::ticket_of(id, nonce);
        CHECK(ticket == gateway::ticket_of(id, nonce));
        CHECK(ticket.size() == 32 + 1 + 16);
        CHECK(ticket != gateway::ticket_of(id, other));
        CHECK(gateway::ticket_of(id, {}).empty());
        CHECK(gateway::ticket_of(Bytes(64, 9), nonce).size() + 4 <= 200);  // a file's name
    }

    TEST_CASE("announcements: of a CA that may, through the listener it may use, in time") {
        World world;
        const Bytes body = [] {
            asn1::DerWriter writer;
            {
                const auto outer =
                    writer.open(asn1::context(static_cast<unsigned>(BodyType::crlann)));
                const auto list = writer.open(asn1::Tag::sequence);
            }
            return std::move(writer).take();
        }();
        const auto announce = [&](const crypto::CredentialPtr& by, ListenerId through,
                                  std::optional<WallTime> time) {
            test::Envelope envelope;
            envelope.credential = by;
            envelope.time = time;
            envelope.transaction_id = Bytes(16, 5);
            envelope.sender_nonce = Bytes(16, 6);
            Arrival arrival;
            arrival.der = test::build_message(envelope, body);
            arrival.listener = through;
            arrival.deadline = world.site.clock.boot_now() + std::chrono::seconds{30};
            return test::run(world.gateway().exchange(std::move(arrival)));
        };
        const WallTime now = world.site.clock.wall_now();
        const auto device = Pki::get().devices.front().credential;
        // A device has a certificate, and is no CA.
        Reply reply = announce(device, ListenerId{1}, now);
        REQUIRE(std::holds_alternative<NotCmp>(reply));
        CHECK(std::get<NotCmp>(reply).der.empty());
        CHECK(world.audit.rule == "announcement");
        reply = announce(device, ListenerId{0}, now);
        CHECK(world.audit.detail == "no CA may announce through this listener");
        CHECK(world.hearer.heard.empty());

        // Somebody whose certificate says cmcCA, issued by the CA's root.
        auto trusted = RaPki::get().ra("CN=Announcer,O=Example");
        World also;
        also.allow(trusted);
        const auto announce_there = [&](std::optional<WallTime> time) {
            test::Envelope envelope;
            envelope.credential = trusted;
            envelope.time = time;
            envelope.transaction_id = Bytes(16, 5);
            envelope.sender_nonce = Bytes(16, 6);
            Arrival arrival;
            arrival.der = test::build_message(envelope, body);
            arrival.listener = ListenerId{1};
            arrival.deadline = also.site.clock.boot_now() + std::chrono::seconds{30};
            return test::run(also.gateway().exchange(std::move(arrival)));
        };
        for (const auto& time :
             {std::optional<WallTime>{}, std::optional{now - std::chrono::hours{1}},
              std::optional{now + std::chrono::hours{1}}}) {
            CHECK(std::holds_alternative<NotCmp>(announce_there(time)));
            CHECK(also.audit.rule == "announcement-time");
        }
        CHECK(also.hearer.heard.empty());
        const Reply taken = announce_there(now);
        REQUIRE(std::holds_alternative<Accepted>(taken));
        CHECK(std::get<Accepted>(taken).stored);
        CHECK(also.audit.decision == "forwarded");
        CHECK(also.hearer.heard.size() == 1);
        CHECK(std::holds_alternative<Accepted>(announce_there(now)));
        CHECK(also.audit.decision == "repeated");
        CHECK(also.store.sizes().open == 0);
        CHECK(also.store.sizes().remembered == 0);
    }
}
