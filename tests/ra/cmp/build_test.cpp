#include "ra/cmp/build.h"

#include <doctest/doctest.h>

#include "ra/cmp/body.h"
#include "ra/cmp/oids.h"
#include "tests/ra/cmp/pieces.h"
#include "tests/ra/cmp/vectors.h"

namespace ra::cmp {
namespace {

using namespace test;

TEST_SUITE("ra/cmp") {
    TEST_CASE("builders: what they build parses to what went in") {
        const Bytes status =
            build_status_info(PKIStatus::rejection, PKIFailureInfo::duplicateCertReq, "why");
        const Bytes error_body = build_error_body(status);
        const auto error = parse_error(inside(error_body), 0, Limits{});
        const Bytes kept = inside(error_body);
        const auto parsed = parse_error(kept, 0, Limits{});
        REQUIRE(error.has_value());
        REQUIRE(parsed.has_value());
        CHECK(parsed->status.status == PKIStatus::rejection);
        CHECK(parsed->status.fail_info == 1U << 26U);
        CHECK(parsed->status.status_string.front() == "why");
        for (unsigned bit = 0; bit <= 26; ++bit) {
            const Bytes one = inside(build_error_body(
                build_status_info(PKIStatus::rejection, static_cast<PKIFailureInfo>(bit), {})));
            CHECK(parse_error(one, 0, Limits{})->status.fail_info == 1U << bit);
        }
        const Bytes certificate = seq({5, 0});
        const Bytes ip =
            inside(build_cert_rep_body(BodyType::ip, -1, kAccepted, certificate, certificate));
        const auto rep = parse_cert_rep(ip, 0, Limits{});
        REQUIRE(rep.has_value());
        CHECK(rep->responses.front().cert_req_id == -1);
        CHECK(equal(rep->responses.front().certificate, certificate));
        CHECK(rep->ca_pubs.size() == 1);
        const Bytes poll = inside(build_poll_rep_body(0, 3600));
        CHECK(parse_poll_rep(poll, 0, Limits{})->front().check_after == 3600);
        const Bytes poll_req = inside(build_poll_req_body(-1));
        CHECK(parse_poll_req(poll_req, 0, Limits{})->front() == -1);
        const Bytes rr = inside(build_rev_req_body(kName, Bytes{0x12, 0x34}, 5));
        const auto details = parse_rev_req(rr, 0, Limits{});
        REQUIRE(details.has_value());
        CHECK(details->front().reason == 5);
        CHECK(equal(*details->front().cert_details.serial_number, Bytes{0x12, 0x34}));
        CHECK(equal(*details->front().cert_details.issuer, kName));
        const Bytes conf = inside(build_cert_conf_body(Bytes(32, 9), 0, kAccepted));
        CHECK(parse_cert_conf(conf, 0, Limits{})->front().status_info->status ==
              PKIStatus::accepted);
        const Bytes request = build_cert_request(
            3, build_cert_template(kName, kSpki, seq({6, 3, 0x55, 0x1d, 0x0f, 4, 0})));
        const Bytes ir = inside(build_cert_req_body(BodyType::ir, request, Bytes{0x80, 0}));
        const auto requests = parse_cert_req_messages(ir, 0, Limits{});
        REQUIRE(requests.has_value());
        CHECK(requests->front().cert_req_id == 3);
        CHECK(equal(requests->front().cert_req, request));
        CHECK(equal(*requests->front().cert_template.subject, kName));
        CHECK(equal(requests->front().cert_template.public_key_der(), kSpki));
        CHECK(requests->front().popo == PopoType::raVerified);
        const Bytes genm = inside(build_genm_body(oid::kCaCerts.view()));
        CHECK(oid::kCaCerts == parse_gen_msg(genm, 0, Limits{})->front().type);
        const Bytes rp = inside(build_rev_rep_body(status));
        CHECK(parse_rev_rep(rp, 0, Limits{})->status.front().fail_info == 1U << 26U);
    }

    TEST_CASE("builders: a header with every field") {
        const Bytes id(16, 1);
        const Bytes nonce(16, 2);
        const Bytes other(16, 3);
        const Bytes sender = general_name(kName);
        HeaderFields fields;
        fields.pvno = 3;
        fields.sender = sender;
        fields.message_time = WallTime{std::chrono::seconds{1'772'366'400}};
        fields.protection_alg = kAlgorithm;
        fields.sender_kid = id;
        fields.transaction_id = id;
        fields.sender_nonce = nonce;
        fields.recip_nonce = other;
        fields.confirm_wait_time = WallTime{std::chrono::seconds{1'772'366'500}};
        fields.implicit_confirm = true;
        const Bytes header = build_header(fields);
        const Bytes body = build_pkiconf_body();
        const Bytes der = build_pki_message(header, body, Bytes{0xff}, {});
        const auto message = parse_pki_message(der, Limits{});
        REQUIRE(message.has_value());
        CHECK(message->header.pvno == 3);
        CHECK(equal(message->header.sender, sender));
        CHECK(is_null_dn(message->header.recipient));
        CHECK(message->header.message_time == fields.message_time);
        CHECK(equal(message->header.protection_alg->whole, kAlgorithm));
        CHECK(equal(*message->header.transaction_id, id));
        CHECK(equal(*message->header.sender_nonce, nonce));
        CHECK(equal(*message->header.recip_nonce, other));
        CHECK(message->header.implicit_confirm());
        CHECK(message->header.info(oid::kConfirmWaitTime.view()).has_value());
        const Bytes part = build_protected_part(header, body);
        asn1::DerReader reader{part};
        CHECK(equal(reader.read(Tag::sequence, "part").value(), message->protected_content()));
    }

    TEST_CASE("vectors: every prefix and every changed octet of a certificate") {
        const Bytes ip = test::vector_octets("ip-sig");
        const auto message = parse_pki_message(ip, Limits{});
        REQUIRE(message.has_value());
        const auto rep = parse_cert_rep(message->content, 0, Limits{});
        REQUIRE(rep.has_value());
        const Bytes der = to_bytes(rep->responses.front().certificate);
        const auto view = asn1::parse_certificate(der);
        REQUIRE(view.has_value());
        CHECK(view->version == 3);
        CHECK(view->extension(asn1::oid("2.5.29.17").view()).has_value());
        CHECK_FALSE(view->extension(asn1::oid("1.2.3").view()).has_value());
        CHECK(view->not_before < view->not_after);
        for (std::size_t size = 0; size < der.size(); ++size) {
            CHECK_FALSE(asn1::parse_certificate({der.data(), size}).has_value());
        }
        for (std::size_t i = 0; i < der.size(); ++i) {
            Bytes changed = der;
            changed[i] ^= 0x81U;
            static_cast<void>(asn1::parse_certificate(changed));
        }
    }
}

}  // namespace
}  // namespace ra::cmp
