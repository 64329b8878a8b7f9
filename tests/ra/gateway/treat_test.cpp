#include "ra/gateway/treat.h"

#include "ra/gateway/cert_req_id.h"
#include "tests/ra/gateway/hops.h"

using namespace hops;

namespace {

/// One gateway before the lab CA, with a device.
struct Line {
    explicit Line(Treatment treatment, labca::Settings lab = lab_settings())
        : site{std::move(lab)}, profile{device_profile()} {
        profile->treatments.otherwise = treatment;
        hop = site.hop(site.ca, own, profile);
    }
    Site site;
    std::shared_ptr<policy::Profile> profile;
    crypto::CredentialPtr own = RaPki::get().ra("CN=Gateway 1,O=Example");
    std::unique_ptr<Hop> hop;
    Device device{site.clock, Pki::get().devices.front().credential};

    [[nodiscard]] gateway::Gateway& gateway() { return *hop->gateway; }
    [[nodiscard]] Bytes subject() const { return to_bytes(device.own().certificate->subject()); }
    Heard begin(ByteView body) { return device.begin(gateway(), body); }
    Heard next(ByteView body) { return device.next(gateway(), body); }
    [[nodiscard]] Heard up() const { return Heard{hop->tap.up.back()}; }
    [[nodiscard]] Heard down() const { return Heard{hop->tap.down.back()}; }
};

crypto::PrivateKeyPtr new_key() { return crypto::PrivateKey::generate("ec:P-256"); }

/// R-077 and the table of spec 02 D: what re-protection may change of a header, and what not.
void check_same_header(const Heard& before, const Heard& after, const crypto::Credential& by) {
    const cmp::PKIHeader& was = before.header();
    const cmp::PKIHeader& is = after.header();
    CHECK(is.pvno == was.pvno);
    CHECK(to_bytes(is.sender) == by.sender());
    CHECK(to_bytes(is.protection_alg->whole) == to_bytes(by.key->algorithm()));
    CHECK(to_bytes(is.sender_kid.value_or(ByteView{})) == to_bytes(by.sender_kid()));
    CHECK(to_bytes(*is.transaction_id) == to_bytes(*was.transaction_id));
    CHECK(to_bytes(*is.sender_nonce) == to_bytes(*was.sender_nonce));
    CHECK(is.recip_nonce.has_value() == was.recip_nonce.has_value());
    if (is.recip_nonce) CHECK(to_bytes(*is.recip_nonce) == to_bytes(*was.recip_nonce));
    CHECK(is.general_info.has_value() == was.general_info.has_value());
    if (is.general_info) CHECK(to_bytes(*is.general_info) == to_bytes(*was.general_info));
    CHECK(after.signed_by(by));
    REQUIRE(!after.extra_certs().empty());
    CHECK(after.extra_certs().front() == to_bytes(by.certificate->der()));
}

policy::Amendments renamed(std::string_view subject) {
    policy::Amendments amend;
    amend.subject = policy::NamePattern::parse(subject);
    return amend;
}

}  // namespace

TEST_SUITE("ra/gateway") {
    TEST_CASE("reprotect: same body and ids under the RA's signature, and back (R-075, R-077)") {
        Line line{Treatment::reprotect};
        line.device.implicit_confirm = true;
        const auto key = new_key();
        const Heard got = line.begin(cert_request(BodyType::ir, *key, line.subject()));
        REQUIRE(got.type() == BodyType::ip);
        CHECK(line.hop->audit.treatment == "reprotect");

        const Heard sent{line.device.sent};
        const Heard up = line.up();
        check_same_header(sent, up, *line.own);
        CHECK(to_bytes(up.message->body) == to_bytes(sent.message->body));
        CHECK(to_bytes(up.header().recipient) == to_bytes(sent.header().recipient));
        CHECK(up.header().implicit_confirm());
        CHECK(up.extra_certs().size() == 1);

        const Heard down = line.down();
        check_same_header(down, got, *line.own);
        CHECK(to_bytes(got.message->body) == to_bytes(down.message->body));
        CHECK(to_bytes(got.header().recipient) == line.device.own().sender());
        CHECK(to_bytes(*got.header().recip_nonce) == line.device.sender_nonce);
        // The chain of what was issued stays, each certificate once.
        const auto theirs = down.extra_certs();
        CHECK(got.extra_certs().size() == theirs.size() + 1);
        CHECK(!got.signed_by(*line.site.ca.responder_for_test()));
    }

    TEST_CASE("reprotect: certConf follows under the same credential, certHash untouched") {
        Line line{Treatment::reprotect};
        const auto key = new_key();
        const Heard got = line.begin(cert_request(BodyType::cr, *key, line.subject()));
        REQUIRE(got.type() == BodyType::cp);
        const Bytes conf = confirm(got.certificate());
        const Heard done = line.next(conf);
        CHECK(done.type() == BodyType::pkiconf);
        CHECK(done.signed_by(*line.own));
        check_same_header(Heard{line.device.sent}, line.up(), *line.own);
        CHECK(to_bytes(line.up().message->body) == conf);
        CHECK(line.site.ca.open_transactions() == 0);
    }

    TEST_CASE("nest: outer ids of the inner, the message in it octet by octet, the answer bare") {
        Line line{Treatment::nest};
        const auto key = new_key();
        const Heard got = line.begin(cert_request(BodyType::ir, *key, line.subject()));
        REQUIRE(got.type() == BodyType::ip);
        CHECK(got.der == line.hop->tap.down.back());
        CHECK(got.signed_by(*line.site.ca.responder_for_test()));

        const Heard up = line.up();
        REQUIRE(up.type() == BodyType::nested);
        CHECK(up.signed_by(*line.own));
        CHECK(to_bytes(up.header().sender) == line.own->sender());
        CHECK(to_bytes(*up.header().transaction_id) == line.device.transaction_id);
        CHECK(to_bytes(*up.header().sender_nonce) == line.device.sender_nonce);
        CHECK(!up.header().recip_nonce.has_value());
        const auto inner = cmp::parse_nested(up.message->content, 0, {}).value();
        REQUIRE(inner.size() == 1);
        CHECK(to_bytes(inner.front().whole) == line.device.sent);

        const Heard done = line.next(confirm(got.certificate()));
        CHECK(done.type() == BodyType::pkiconf);
        CHECK(line.up().type() == BodyType::nested);
        CHECK(done.der == line.hop->tap.down.back());
    }

    TEST_CASE("kur nested: end to end, with the RA's approval (R-076)") {
        Line line{Treatment::nest};
        line.device.implicit_confirm = true;
        const auto first = new_key(), second = new_key();
        const Heard got = line.begin(cert_request(BodyType::ir, *first, line.subject()));
        REQUIRE(got.type() == BodyType::ip);
        auto own = std::make_shared<crypto::Credential>();
        own->name = "device";
        own->key = first;
        own->certificate = crypto::Certificate::parse(got.certificate()).value();
        own->chain = {own->certificate};
        line.profile->origin.trust =
            crypto::TrustStore::of({Pki::get().root, line.site.ca.certificate()});
        Device updated{line.site.clock, own};
        updated.implicit_confirm = true;
        const Heard kup =
            updated.begin(line.gateway(), cert_request(BodyType::kur, *second, line.subject()));
        REQUIRE(kup.type() == BodyType::kup);
        CHECK(kup.status().status == PKIStatus::accepted);
        CHECK(line.up().type() == BodyType::nested);
    }

    TEST_CASE(
        "raverified: renamed by template, POP verified here, the answer matches what was asked") {
        Line line{Treatment::raverified};
        line.profile->amend = renamed("O=Plant,CN=${sender.CN}");
        const auto key = new_key();
        const Heard got = line.begin(cert_request(BodyType::ir, *key, line.subject()));
        REQUIRE(got.type() == BodyType::ip);
        REQUIRE(got.status().status == PKIStatus::accepted);
        const Bytes issued = got.certificate();
        const auto certificate = asn1::parse_certificate(issued).value();
        CHECK(to_bytes(certificate.subject) == crypto::name_of("O=Plant,CN=device 0"));
        CHECK(crypto::same_public_key(certificate.spki, key->spki()));

        const auto up = line.up();
        const auto requests = cmp::parse_cert_req_messages(up.message->content, 0, {}).value();
        CHECK(requests.at(0).popo == cmp::PopoType::raVerified);
        CHECK(requests.at(0).cert_template.public_key_der() == to_bytes(key->spki()));
        check_same_header(Heard{line.device.sent}, up, *line.own);
        CHECK(line.next(confirm(issued)).type() == BodyType::pkiconf);
    }

    TEST_CASE("raverified: a wrong POP gets no further (R-098)") {
        Line line{Treatment::raverified};
        line.profile->amend = renamed("O=Plant,CN=${sender.CN}");
        const auto key = new_key(), other = new_key();
        const Bytes wanted =
            cmp::build_cert_request(0, cmp::build_cert_template(line.subject(), key->spki()));
        const Heard got =
            line.begin(cmp::build_cert_req_body(BodyType::ir, wanted, popo(wanted, *other)));
        CHECK(got.type() == BodyType::ip);
        CHECK(got.refused_for(PKIFailureInfo::badPOP));
        CHECK(line.hop->tap.up.empty());
    }

    TEST_CASE("raverified: p10cr goes up as cr, comes back as cp with certReqId -1 (R-099)") {
        Line line{Treatment::raverified};
        line.profile->amend = renamed("O=Plant,CN=${sender.CN}");
        const auto key = new_key();
        const Heard got = line.begin(pkcs10(*key, line.subject()));
        CHECK(line.up().type() == BodyType::cr);
        REQUIRE(got.type() == BodyType::cp);
        REQUIRE(got.status().status == PKIStatus::accepted);
        CHECK(got.cert().cert_req_id == -1);
        CHECK(got.signed_by(*line.own));
        const Bytes issued = got.certificate();
        CHECK(to_bytes(asn1::parse_certificate(issued).value().subject) ==
              crypto::name_of("O=Plant,CN=device 0"));

        const Heard done = line.next(confirm(issued, -1));
        CHECK(done.type() == BodyType::pkiconf);
        const Heard sent_conf = line.up();
        const auto conf = cmp::parse_cert_conf(sent_conf.message->content, 0, {}).value();
        CHECK(conf.at(0).cert_req_id == 0);
        CHECK(to_bytes(conf.at(0).cert_hash) == crypto::cert_hash(issued, std::nullopt).value());
    }

    TEST_CASE("raverified: a p10cr that needs no change stays p10cr (R-097)") {
        Line line{Treatment::raverified};
        line.profile->amend = renamed("CN=${sender.CN},O=Example");
        const Heard got = line.begin(pkcs10(*new_key(), line.subject()));
        REQUIRE(got.type() == BodyType::cp);
        CHECK(line.up().type() == BodyType::p10cr);
        CHECK(line.next(confirm(got.certificate(), got.cert().cert_req_id)).type() ==
              BodyType::pkiconf);
    }

    TEST_CASE("reprotect: waiting, pollRep and what comes at last, each under our protection") {
        for (const Treatment treatment :
             {Treatment::nest, Treatment::reprotect, Treatment::raverified}) {
            CAPTURE(to_string(treatment));
            labca::Settings lab = lab_settings();
            lab.poll_count = 2;
            Line line{treatment, std::move(lab)};
            if (treatment == Treatment::raverified)
                line.profile->amend = renamed("O=Plant,CN=${sender.CN}");
            const bool replaced = policy::replaces_protection(treatment);
            const crypto::Credential& signer =
                replaced ? *line.own : *line.site.ca.responder_for_test();
            Heard got = line.begin(cert_request(BodyType::ir, *new_key(), line.subject()));
            CHECK(got.status().status == PKIStatus::waiting);
            CHECK(got.signed_by(signer));
            const Bytes first_nonce = to_bytes(*Heard{line.device.sent}.header().sender_nonce);
            unsigned polls = 0;
            do {
                got = line.next(cmp::build_poll_req_body(0));
                CHECK(got.signed_by(signer));
                const Bytes nonce = to_bytes(*got.header().recip_nonce);
                const bool right = nonce == line.device.sender_nonce || nonce == first_nonce;
                CHECK(right);  // both are
                CHECK(nonce == to_bytes(*line.down().header().recip_nonce));
            } while (got.type() == BodyType::pollRep && ++polls < 5);
            REQUIRE(got.type() == BodyType::ip);
            CHECK(got.status().status == PKIStatus::accepted);
            CHECK(line.next(confirm(got.certificate())).type() == BodyType::pkiconf);
        }
    }

    TEST_CASE("raverified: a polled p10cr keeps its two numbers apart") {
        labca::Settings lab = lab_settings();
        lab.poll_count = 1;
        Line line{Treatment::raverified, std::move(lab)};
        line.profile->amend = renamed("O=Plant,CN=${sender.CN}");
        Heard got = line.begin(pkcs10(*new_key(), line.subject()));
        CHECK(got.status().status == PKIStatus::waiting);
        CHECK(got.cert().cert_req_id == -1);
        got = line.next(cmp::build_poll_req_body(-1));
        REQUIRE(got.type() == BodyType::pollRep);
        CHECK(cmp::parse_poll_rep(got.message->content, 0, {}).value().at(0).cert_req_id == -1);
        CHECK(cmp::parse_poll_req(line.up().message->content, 0, {}).value().at(0) == 0);
        got = line.next(cmp::build_poll_req_body(-1));
        REQUIRE(got.type() == BodyType::cp);
        CHECK(line.next(confirm(got.certificate(), -1)).type() == BodyType::pkiconf);
    }

    TEST_CASE("reprotect: the CA's refusal comes back as it was said, under our protection") {
        labca::Settings lab = lab_settings();
        lab.trust.clear();
        lab.ra_trust.clear();  // it knows neither the device nor us
        Line line{Treatment::reprotect, std::move(lab)};
        const Heard got = line.begin(cert_request(BodyType::ir, *new_key(), line.subject()));
        CHECK(got.refused_for(PKIFailureInfo::signerNotTrusted));
        CHECK(got.signed_by(*line.own));
        CHECK(to_bytes(got.message->body) == to_bytes(line.down().message->body));
    }

    TEST_CASE("reprotect: genm and rr") {
        Line line{Treatment::reprotect};
        const Heard genp = line.begin(cmp::build_genm_body(cmp::oid::kCaCerts.view()));
        CHECK(genp.type() == BodyType::genp);
        CHECK(genp.signed_by(*line.own));
        CHECK(to_bytes(genp.message->body) == to_bytes(line.down().message->body));

        line.device.implicit_confirm = true;
        const auto key = new_key();
        const Heard got = line.begin(cert_request(BodyType::ir, *key, line.subject()));
        REQUIRE(got.type() == BodyType::ip);
        auto own = std::make_shared<crypto::Credential>();
        own->name = "device";
        own->key = key;
        own->certificate = crypto::Certificate::parse(got.certificate()).value();
        own->chain = {own->certificate};
        line.profile->origin.trust =
            crypto::TrustStore::of({Pki::get().root, line.site.ca.certificate()});
        Device issued{line.site.clock, own};
        const auto& view = own->certificate->view();
        const Heard rp =
            issued.begin(line.gateway(), cmp::build_rev_req_body(view.issuer, view.serial, 1));
        CHECK(rp.type() == BodyType::rp);
        CHECK(rp.status().status == PKIStatus::accepted);
        CHECK(rp.signed_by(*line.own));
    }

    TEST_CASE(
        "reprotect: origPKIMessage holds what was received, and only the first time (R-095)") {
        Line line{Treatment::reprotect};
        line.profile->orig_pki_message = true;
        const Heard got = line.begin(cert_request(BodyType::ir, *new_key(), line.subject()));
        REQUIRE(got.type() == BodyType::ip);
        const Bytes sent = line.device.sent;
        const Heard up = line.up();
        const auto info = up.header().info(cmp::oid::kOrigPKIMessage.view());
        REQUIRE(info.has_value());
        asn1::DerReader list{info->value};
        CHECK(to_bytes(list.read(asn1::Tag::sequence, "PKIMessages").value()) == sent);
        CHECK(line.next(confirm(got.certificate())).type() == BodyType::pkiconf);
        CHECK(!line.up().header().info(cmp::oid::kOrigPKIMessage.view()).has_value());
    }

    TEST_CASE("S-06: a transaction goes on with the credential it began with") {
        Line line{Treatment::reprotect};
        const Heard got = line.begin(cert_request(BodyType::ir, *new_key(), line.subject()));
        REQUIRE(got.type() == BodyType::ip);
        const auto renewed = RaPki::get().ra("CN=Gateway renewed,O=Example");
        auto next = std::make_shared<gateway::Settings>(*line.hop->settings);
        next->reply_credential = renewed;
        next->upstreams.at("ca").credential = renewed;
        SUBCASE("still there") {
            next->credentials = {renewed, line.own};
            line.hop->use(next, false);
            const Heard done = line.next(confirm(got.certificate()));
            CHECK(done.type() == BodyType::pkiconf);
            CHECK(line.up().signed_by(*line.own));
            CHECK(done.signed_by(*line.own));
            Device other{line.site.clock, Pki::get().devices[1].credential};
            const Heard fresh = other.begin(
                line.gateway(),
                cert_request(BodyType::ir, *new_key(), other.own().certificate->subject()));
            CHECK(fresh.signed_by(*renewed));
            CHECK(line.up().signed_by(*renewed));
        }
        SUBCASE("with the configuration it began under") {
            next->credentials = {renewed};
            line.hop->use(next, true);
            const Heard done = line.next(confirm(got.certificate()));
            CHECK(done.type() == BodyType::pkiconf);
            CHECK(line.up().signed_by(*line.own));
            CHECK(done.signed_by(*line.own));
        }
        SUBCASE("superseded by its renewal: good for what began with it, and for nothing new") {
            next->credentials = {renewed};
            next->superseded = {line.own};
            line.hop->use(next, false);
            const Heard done = line.next(confirm(got.certificate()));
            CHECK(done.type() == BodyType::pkiconf);
            CHECK(line.up().signed_by(*line.own));
            CHECK(done.signed_by(*line.own));
            Device other{line.site.clock, Pki::get().devices[1].credential};
            const Heard fresh = other.begin(
                line.gateway(),
                cert_request(BodyType::ir, *new_key(), other.own().certificate->subject()));
            CHECK(fresh.signed_by(*renewed));
            CHECK(line.up().signed_by(*renewed));
        }
        SUBCASE("gone: nothing is sent under another") {
            next->credentials = {renewed};
            line.hop->use(next, false);
            const std::size_t sent = line.hop->tap.up.size();
            const Heard done = line.next(confirm(got.certificate()));
            CHECK(done.refused_for(PKIFailureInfo::systemFailure));
            CHECK(line.hop->audit.rule == "credential-gone");
            CHECK(line.hop->tap.up.size() == sent);
        }
    }

    TEST_CASE("S-03: two re-protected devices with one transactionID stay two") {
        Line line{Treatment::reprotect};
        const Heard got = line.begin(cert_request(BodyType::ir, *new_key(), line.subject()));
        REQUIRE(got.type() == BodyType::ip);
        Device other{line.site.clock, Pki::get().devices[1].credential};
        other.transaction_id = line.device.transaction_id;
        const Heard refused =
            other.next(line.gateway(),
                       cert_request(BodyType::ir, *new_key(), other.own().certificate->subject()));
        CHECK(refused.refused_for(PKIFailureInfo::transactionIdInUse));
        // Its certConf, though the id is right, is no other's.
        other.recip_nonce = line.device.recip_nonce;
        const Heard conf = other.next(line.gateway(), confirm(got.certificate()));
        CHECK(conf.type() == BodyType::error);
        CHECK(line.next(confirm(got.certificate())).type() == BodyType::pkiconf);
    }

    TEST_CASE("S-05: a repeated request gets the re-protected answer again, octet by octet") {
        Line line{Treatment::reprotect};
        const Heard first = line.begin(cert_request(BodyType::ir, *new_key(), line.subject()));
        const Bytes asked = line.device.sent;
        const Heard again = line.device.deliver(line.gateway(), asked);
        CHECK(again.der == first.der);
        CHECK(line.hop->tap.up.size() == 1);
    }

    TEST_CASE("S-12: what a device of the same root answers is not re-protected") {
        Line line{Treatment::reprotect};
        line.hop->settings->upstreams.at("ca").responder.ekus.clear();
        const Heard got = line.begin(cert_request(BodyType::ir, *new_key(), line.subject()));
        CHECK(got.type() == BodyType::error);
        CHECK(line.hop->audit.rule == "responder-authority");
    }

    TEST_CASE("with_cert_req_id: only the numbers, wherever they stand") {
        struct Row {
            const char* name;
            Bytes body;
        };
        const Bytes hash(32, 0x01);
        const Bytes status = cmp::build_status_info(PKIStatus::accepted, std::nullopt, "0");
        const Bytes certificate = to_bytes(Pki::get().root->der());
        const auto bodies = [&](std::int64_t id) {
            return std::vector<Row>{
                {"certConf", cmp::build_cert_conf_body(hash, id, status)},
                {"pollReq", cmp::build_poll_req_body(id)},
                {"pollRep", cmp::build_poll_rep_body(id, 0)},
                {"cp", cmp::build_cert_rep_body(BodyType::cp, id, status)},
                {"cp with caPubs",
                 cmp::build_cert_rep_body(BodyType::cp, id, status, certificate, certificate)},
            };
        };
        const auto zero = bodies(0), minus = bodies(-1);
        for (std::size_t i = 0; i < zero.size(); ++i) {
            CAPTURE(zero[i].name);
            const Heard from{cmp::build_pki_message(cmp::build_header({}), zero[i].body, {}, {})};
            CHECK(gateway::with_cert_req_id(from.message.message(), -1) == minus[i].body);
            const Heard back{cmp::build_pki_message(cmp::build_header({}), minus[i].body, {}, {})};
            CHECK(gateway::with_cert_req_id(back.message.message(), 0) == zero[i].body);
        }
    }
}
