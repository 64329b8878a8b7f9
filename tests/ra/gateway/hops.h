#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "ra/asn1/der_writer.h"
#include "ra/cmp/build.h"
#include "ra/cmp/oids.h"
#include "ra/crypto/envelope.h"
#include "ra/crypto/protection.h"
#include "ra/gateway/gateway.h"
#include "ra/labca/lab_ca.h"
#include "ra/store/memory.h"
#include "ra/store/memory_inventory.h"
#include "ra/upstream/client.h"
#include "tests/support/fake_clock.h"
#include "tests/support/messages.h"
#include "tests/support/pki.h"
#include "tests/support/run.h"
#include "tests/support/seeded_random.h"

/// Whole gateways in a row before a lab CA, in this process and on one thread.
namespace hops {

using namespace ra;
using cmp::BodyType;
using cmp::PKIFailureInfo;
using cmp::PKIStatus;
using policy::Treatment;
using test::Pki;

inline crypto::CredentialPtr credential(std::string_view subject, std::string_view issuer,
                                        const crypto::PrivateKey& issuer_key,
                                        const std::vector<ByteView>& eku = {}) {
    auto made = std::make_shared<crypto::Credential>();
    made->name = std::string(subject);
    made->key = crypto::PrivateKey::generate("ec:P-256");
    made->certificate = crypto::Certificate::parse(
                            test::issue(subject, made->key->spki(), issuer, issuer_key, false, eku))
                            .value();
    made->chain = {made->certificate};
    return made;
}

/// A root of RAs, which no device has.
struct RaPki {
    static constexpr std::string_view kRoot = "CN=RA Root,O=Example";
    crypto::PrivateKeyPtr root_key = crypto::PrivateKey::generate("ec:P-256");
    crypto::CertificatePtr root =
        crypto::Certificate::parse(test::issue(kRoot, root_key->spki(), kRoot, *root_key, true))
            .value();
    crypto::TrustStorePtr trust = crypto::TrustStore::of({root});

    [[nodiscard]] crypto::CredentialPtr ra(std::string_view subject) const {
        return credential(subject, kRoot, *root_key, {cmp::oid::kCmcRa.view()});
    }
    static const RaPki& get() {
        static const RaPki pki;
        return pki;
    }
};

/// Keeps what passes.
class Tap final : public Exchange {
public:
    explicit Tap(Exchange& to) noexcept : to_{to} {}
    asio::awaitable<Reply> exchange(Arrival arrival) override {
        up.push_back(arrival.der);
        Reply reply = co_await to_.exchange(std::move(arrival));
        if (const auto* answer = std::get_if<Answer>(&reply)) down.push_back(answer->der);
        co_return reply;
    }
    std::vector<Bytes> up, down;

private:
    Exchange& to_;
};

struct NoTimers final : Timers {
    Id schedule(BootTime, std::function<void()>) override { return 1; }
    void cancel(Id) noexcept override {}
};
struct InlinePool final : gateway::CpuPool {
    asio::awaitable<bool> run(std::function<void()> work) override {
        work();
        co_return true;
    }
};
struct LastEnded final : gateway::Audit {
    void record(const gateway::Ended& ended) override {
        rule = std::string(ended.rule);
        detail = ended.detail;
        decision = std::string(ended.decision);
        treatment = std::string(ended.treatment);
        approver = ended.approver;
        principal = ended.principal;
        request = ended.request;
    }
    std::string rule, detail, decision, treatment;
    crypto::CertificatePtr approver;
    std::optional<policy::Principal> principal;
    std::optional<BodyType> request;
};

inline std::shared_ptr<policy::Profile> device_profile() {
    auto profile = std::make_shared<policy::Profile>();
    profile->name = "devices";
    profile->origin.trust = Pki::get().trust;
    profile->rules.keys = {policy::KeyPattern::parse("ec:P-256")};
    profile->upstream = "ca";
    return profile;
}

/// One gateway before an Exchange that answers for `responder_trust`.
class Hop {
public:
    Hop(Exchange& next, const Clock& clock, crypto::CertificatePtr ca, crypto::CredentialPtr own,
        std::shared_ptr<policy::Profile> profile)
        : tap{next},
          random_{7},
          clock_{clock},
          upstream_{tap},
          chains_{clock},
          store_{clock, random_} {
        settings = std::make_shared<gateway::Settings>();
        settings->profiles = {profile};
        gateway::UpstreamSettings to;
        to.name = "ca";
        to.responder.trust = crypto::TrustStore::of({std::move(ca), RaPki::get().root});
        to.responder.ekus = {to_bytes(cmp::oid::kCmcCa.view()), to_bytes(cmp::oid::kCmcRa.view())};
        to.credential = own;
        settings->upstreams.emplace("ca", std::move(to));
        settings->reply_credential = own;
        settings->credentials = {own};
        const gateway::Services services{store_, inventory_, audit,   pool_,
                                         clock_, timers_,    random_, chains_};
        gateway.emplace(services, snapshot(settings));
    }
    /// Another configuration; what transactions pinned of the one before stays for an hour, or not.
    void use(std::shared_ptr<gateway::Settings> next, bool keep) {
        next->generation = settings->generation + 1;
        settings = std::move(next);
        const BootTime now = clock_.boot_now();
        gateway->use(snapshot(settings), keep ? now + std::chrono::hours{1} : now);
        gateway->expire(now + std::chrono::seconds{1});
    }
    [[nodiscard]] gateway::Store& store() noexcept { return store_; }

    Tap tap;  // what it sent upstream, and got
    LastEnded audit;
    std::shared_ptr<gateway::Settings> settings;
    std::optional<gateway::Gateway> gateway;

private:
    gateway::SnapshotPtr snapshot(gateway::SettingsPtr of) {
        auto made = std::make_shared<gateway::Snapshot>();
        made->settings = std::move(of);
        made->upstreams["ca"] = {std::shared_ptr<void>{}, &upstream_};  // this hop's own
        return made;
    }

    test::SeededRandom random_;
    const Clock& clock_;
    upstream::Local upstream_;
    InlinePool pool_;
    NoTimers timers_;
    crypto::ChainVerifier chains_;
    store::Memory store_;
    store::MemoryInventory inventory_;
};

inline labca::Settings lab_settings() {
    labca::Settings made;
    made.trust = {Pki::get().root};
    made.ra_trust = {RaPki::get().root};
    return made;
}

/// A lab CA that takes RAs of RaPki, and what the tests put before it.
struct Site {
    explicit Site(labca::Settings lab = lab_settings()) : ca{std::move(lab), clock, random} {}

    std::unique_ptr<Hop> hop(Exchange& next, crypto::CredentialPtr own,
                             std::shared_ptr<policy::Profile> profile) {
        return std::make_unique<Hop>(next, clock, ca.certificate(), std::move(own),
                                     std::move(profile));
    }

    test::FakeClock clock{Pki::kNow};
    test::SeededRandom random{3};
    labca::LabCa ca;
};

/// An answer, whole and owned.
struct Heard {
    explicit Heard(Bytes octets)
        : der{octets},
          message{cmp::ParsedMessage::parse(cmp::MessageBuffer{std::move(octets)}, {}).value()} {}
    Bytes der;
    cmp::ParsedMessage message;

    [[nodiscard]] BodyType type() const { return message->type; }
    [[nodiscard]] const cmp::PKIHeader& header() const { return message->header; }
    [[nodiscard]] cmp::CertResponse cert() const {
        return cmp::parse_cert_rep(message->content, 0, {}).value().responses.at(0);
    }
    [[nodiscard]] Bytes certificate() const { return to_bytes(cert().certificate); }
    [[nodiscard]] cmp::PKIStatusInfo status() const {
        if (type() == BodyType::error)
            return cmp::parse_error(message->content, 0, {}).value().status;
        if (type() == BodyType::rp)
            return cmp::parse_rev_rep(message->content, 0, {}).value().status.at(0);
        return cert().status;
    }
    [[nodiscard]] bool refused_for(PKIFailureInfo info) const {
        const auto said = status();
        return said.status == PKIStatus::rejection &&
               said.fail_info == 1U << static_cast<unsigned>(info);
    }
    [[nodiscard]] bool signed_by(const crypto::Credential& who) const {
        return crypto::verify_signature_protection(message.message(), who.certificate->key())
            .has_value();
    }
    [[nodiscard]] std::vector<Bytes> extra_certs() const {
        std::vector<Bytes> all;
        asn1::DerReader reader{message->extra_certs};
        while (!reader.at_end()) all.push_back(to_bytes(reader.read_any("c").value().whole));
        return all;
    }
};

/// A device in the middle of one transaction.
class Device {
public:
    Device(const Clock& clock, crypto::CredentialPtr own) : clock_{clock}, own_{std::move(own)} {}

    bool implicit_confirm = false;
    Bytes transaction_id, sender_nonce, recip_nonce;

    [[nodiscard]] Bytes build(ByteView body) {
        test::Envelope envelope;
        envelope.credential = own_;
        envelope.time = clock_.wall_now();
        if (transaction_id.empty()) transaction_id = random_.octets(16);
        sender_nonce = random_.octets(16);
        envelope.transaction_id = transaction_id;
        envelope.sender_nonce = sender_nonce;
        envelope.recip_nonce = recip_nonce;
        envelope.implicit_confirm = implicit_confirm;
        sent = test::build_message(envelope, body);
        return sent;
    }
    Heard deliver(Exchange& to, Bytes octets, Operation advised = Operation::unspecified) {
        Arrival arrival;
        arrival.der = std::move(octets);
        arrival.advised = advised;
        arrival.deadline = clock_.boot_now() + std::chrono::seconds{30};
        Heard heard{std::get<Answer>(test::run(to.exchange(std::move(arrival)))).der};
        recip_nonce = to_bytes(heard.header().sender_nonce.value_or(ByteView{}));
        return heard;
    }
    /// A first message with this body TLV.
    Heard begin(Exchange& to, ByteView body) {
        transaction_id.clear();
        recip_nonce.clear();
        return deliver(to, build(body));
    }
    /// The next one.
    Heard next(Exchange& to, ByteView body) { return deliver(to, build(body)); }

    [[nodiscard]] const crypto::Credential& own() const { return *own_; }
    Bytes sent;

private:
    const Clock& clock_;
    crypto::CredentialPtr own_;
    test::SeededRandom random_{11};
};

inline Bytes popo(ByteView cert_request, const crypto::PrivateKey& key) {
    asn1::DerWriter writer;
    {
        const auto choice = writer.open(asn1::context(1));
        writer.raw(key.algorithm());
        writer.bit_string(key.sign(cert_request).value());
    }
    return std::move(writer).take();
}
inline Bytes cert_request(BodyType type, const crypto::PrivateKey& key, ByteView subject_name) {
    const Bytes wanted =
        cmp::build_cert_request(0, cmp::build_cert_template(subject_name, key.spki()));
    return cmp::build_cert_req_body(type, wanted, popo(wanted, key));
}
inline Bytes pkcs10(const crypto::PrivateKey& key, ByteView subject_name) {
    asn1::DerWriter info;
    {
        const auto sequence = info.open(asn1::Tag::sequence);
        info.integer(0);
        info.raw(subject_name);
        info.raw(key.spki());
        info.tlv(asn1::context(0), {});
    }
    asn1::DerWriter writer;
    {
        const auto body = writer.open(asn1::context(static_cast<unsigned>(BodyType::p10cr)));
        const auto sequence = writer.open(asn1::Tag::sequence);
        writer.raw(info.view());
        writer.raw(key.algorithm());
        writer.bit_string(key.sign(info.view()).value());
    }
    return std::move(writer).take();
}
inline Bytes confirm(ByteView certificate, std::int64_t cert_req_id = 0) {
    return cmp::build_cert_conf_body(crypto::cert_hash(certificate, std::nullopt).value(),
                                     cert_req_id);
}

}  // namespace hops
