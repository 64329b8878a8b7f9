#include <doctest/doctest.h>

#include "ra/cmp/body.h"
#include "ra/cmp/oids.h"
#include "tests/ra/cmp/pieces.h"

namespace ra::cmp {
namespace {

using namespace test;

TEST_SUITE("ra/cmp") {
    TEST_CASE("CertReqMessages: CertTemplate") {
        const Bytes extension = seq({6, 3, 0x55, 0x1d, 0x0f, 4, 0});
        const Bytes other = seq({6, 3, 0x55, 0x1d, 0x11, 4, 0});
        const auto extensions = [](const Bytes& list) { return tlv(context(9), list); };
        Bytes many;
        for (std::uint8_t i = 0; i < 65; ++i) append(many, seq({6, 3, 0x2a, 0x03, i, 4, 0}));
        Bytes key = kSpki;
        key[0] = 0xa6;
        check_rows(
            parse_cert_req_messages,
            {
                {"empty template", request({}), std::nullopt},
                {"every field",
                 request(join(
                     {{0x80, 1, 2},
                      {0x81, 1, 5},
                      tlv(context(2), {6, 3, 0x2b, 0x65, 0x70}),
                      tlv(context(3), kName),
                      tlv(context(4),
                          tlv(context(0), tlv(Tag::utc_time, to_bytes(as_bytes("260301120000Z"))))),
                      tlv(context(5), kName),
                      key,
                      {0x87, 1, 0},
                      {0x88, 1, 0},
                      extensions(join({extension, other}))})),
                 std::nullopt},
                {"version of two octets", request({0x80, 2, 1, 0}), Errc::bad_value},
                {"serialNumber not minimal", request({0x81, 2, 0, 5}), Errc::bad_value},
                {"serialNumber empty", request({0x81, 0}), Errc::bad_value},
                {"signingAlg empty", request({0xa2, 0}), Errc::missing},
                {"issuer implicit", request(tlv(context(3), inside(kName))), Errc::bad_tag},
                {"subject of two", request(tlv(context(5), join({kName, kName}))),
                 Errc::trailing_data},
                {"subject's RDN empty", request(tlv(context(5), seq({0x31, 0}))), Errc::bad_value},
                {"validity empty", request({0xa4, 0}), Errc::missing},
                {"validity reversed",
                 request(tlv(
                     context(4),
                     join({tlv(context(1), tlv(Tag::utc_time, to_bytes(as_bytes("260301120000Z")))),
                           tlv(context(0),
                               tlv(Tag::utc_time, to_bytes(as_bytes("260301120000Z"))))}))),
                 Errc::trailing_data},
                {"validity no time", request(tlv(context(4), tlv(context(0), {0x17, 0}))),
                 Errc::bad_value},
                {"publicKey without key", request({0xa6, 7, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70}),
                 Errc::missing},
                {"publicKey explicit", request(tlv(context(6), kSpki)), Errc::bad_tag},
                {"fields out of order", request(join({tlv(context(5), kName), {0x80, 1, 2}})),
                 Errc::trailing_data},
                {"subject twice", request(join({tlv(context(5), kName), tlv(context(5), kName)})),
                 Errc::trailing_data},
                {"extensions empty", request(extensions({})), Errc::missing},
                {"extension twice", request(extensions(join({extension, other, extension}))),
                 Errc::duplicate},
                {"critical FALSE written",
                 request(extensions(seq({6, 3, 0x55, 0x1d, 0x0f, 1, 1, 0, 4, 0}))),
                 Errc::bad_value},
                {"S-30: 65 extensions", request(extensions(many)), Errc::too_many},
            });
    }

    TEST_CASE("CertReqMessages: CertReqMsg, controls, popo, regInfo") {
        const Bytes control = seq({6, 3, 0x2a, 3, 4, 5, 0});
        const Bytes signature = join({kAlgorithm, {3, 2, 0, 0x55}});
        const Bytes input_sender = tlv(context(0), {0xa4, 2, 0x30, 0});
        check_rows(
            parse_cert_req_messages,
            {
                {"none", seq({}), Errc::missing},
                {"16", seq(repeat(inside(request({})), 16)), std::nullopt},
                {"S-30: 17", seq(repeat(inside(request({})), 17)), Errc::too_many},
                {"certReqId -1", seq(seq(seq(join({{2, 1, 0xff}, seq({})})))), std::nullopt},
                {"no template", seq(seq(seq(kZero))), Errc::missing},
                {"a control", request({}, seq(control)), std::nullopt},
                {"controls empty", request({}, seq({})), Errc::missing},
                {"control twice", request({}, seq(join({control, control}))), Errc::duplicate},
                {"control without value", request({}, seq(seq({6, 3, 0x2a, 3, 4}))), Errc::missing},
                {"control with two values", request({}, seq(seq({6, 3, 0x2a, 3, 4, 5, 0, 5, 0}))),
                 Errc::trailing_data},
                {"raVerified", request({}, {}, {0x80, 0}), std::nullopt},
                {"raVerified with content", request({}, {}, {0x80, 1, 0}), Errc::bad_value},
                {"raVerified explicit", request({}, {}, {0xa0, 2, 5, 0}), Errc::bad_tag},
                {"popo [4]", request({}, {}, {0xa4, 0}), Errc::bad_tag},
                {"signature", request({}, {}, tlv(context(1), signature)), std::nullopt},
                {"signature without its value", request({}, {}, tlv(context(1), kAlgorithm)),
                 Errc::missing},
                {"signature with poposkInput",
                 request({}, {},
                         tlv(context(1),
                             join({tlv(context(0), join({input_sender, kSpki})), signature}))),
                 std::nullopt},
                {"poposkInput with publicKeyMAC",
                 request({}, {},
                         tlv(context(1),
                             join({tlv(context(0), join({seq(signature), kSpki})), signature}))),
                 std::nullopt},
                {"poposkInput empty",
                 request({}, {}, tlv(context(1), join({{0xa0, 0}, signature}))), Errc::missing},
                {"poposkInput without key",
                 request({}, {}, tlv(context(1), join({tlv(context(0), input_sender), signature}))),
                 Errc::missing},
                {"keyEncipherment, encrCert", request({}, {}, {0xa2, 3, 0x81, 1, 0}), std::nullopt},
                {"keyAgreement, challengeResp", request({}, {}, {0xa3, 3, 0x81, 1, 1}),
                 std::nullopt},
                {"keyEncipherment, EnvelopedData opaque",
                 request({}, {}, {0xa2, 4, 0xa4, 2, 0x24, 0}), std::nullopt},
                {"keyEncipherment empty", request({}, {}, {0xa2, 0}), Errc::missing},
                {"keyEncipherment of two", request({}, {}, {0xa2, 6, 0x81, 1, 0, 0x81, 1, 0}),
                 Errc::trailing_data},
                {"keyEncipherment [5]", request({}, {}, {0xa2, 2, 0xa5, 0}), Errc::bad_tag},
                {"two popos", request({}, {}, {0x80, 0, 0x80, 0}), Errc::trailing_data},
                {"regInfo", request({}, {}, join({{0x80, 0}, seq(control)})), std::nullopt},
                {"regInfo without popo", request({}, {}, seq(control)), std::nullopt},
                {"regInfo twice the same", request({}, {}, seq(join({control, control}))),
                 Errc::duplicate},
                {"regInfo before popo", request({}, {}, join({seq(control), {0x80, 0}})),
                 Errc::trailing_data},
            });
    }

    TEST_CASE("CertTemplate: central key generation, the key as a universal SEQUENCE") {
        Bytes key = kSpki;
        key[0] = 0xa6;
        const Bytes with_key = request(key);
        const auto requests = parse_cert_req_messages(with_key, 0, Limits{});
        REQUIRE(requests.has_value());
        CHECK(equal(requests->front().cert_template.public_key_der(), kSpki));
        CHECK_FALSE(requests->front().cert_template.wants_central_key_generation());
        const Bytes without = request({});
        CHECK(parse_cert_req_messages(without, 0, Limits{})
                  ->front()
                  .cert_template.wants_central_key_generation());
        const Bytes empty = request({0xa6, 10, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 1, 0});
        CHECK(parse_cert_req_messages(empty, 0, Limits{})
                  ->front()
                  .cert_template.wants_central_key_generation());
    }

    TEST_CASE("CertificationRequest") {
        const auto p10 = [](const Bytes& version, const Bytes& attributes) {
            return seq(
                join({seq(join({version, kName, kSpki, attributes})), kAlgorithm, {3, 2, 0, 1}}));
        };
        const Bytes extension = seq({6, 3, 0x55, 0x1d, 0x0f, 4, 0});
        const auto attribute = [](ByteView type, const Bytes& values) {
            return seq(join({tlv(Tag::oid, to_bytes(type)), tlv(Tag::set, values)}));
        };
        const ByteView wanted = oid::kExtensionRequest.view();
        const Bytes requested = attribute(wanted, seq(extension));
        const Bytes other = attribute(Bytes{0x2a, 3}, {5, 0});
        check_rows(
            parse_certification_request,
            {
                {"no attributes", p10(kZero, {}), std::nullopt},
                {"empty attributes", p10(kZero, {0xa0, 0}), std::nullopt},
                {"extensionRequest and another",
                 p10(kZero, tlv(context(0), join({other, requested}))), std::nullopt},
                {"version 1", p10({2, 1, 1}, {}), Errc::bad_value},
                {"extensionRequest twice",
                 p10(kZero, tlv(context(0), join({requested, requested}))), Errc::duplicate},
                {"another twice", p10(kZero, tlv(context(0), join({other, other}))),
                 Errc::duplicate},
                {"extensionRequest of two values",
                 p10(kZero,
                     tlv(context(0), attribute(wanted, join({seq(extension), seq(extension)})))),
                 Errc::trailing_data},
                {"extensionRequest without value",
                 p10(kZero, tlv(context(0), attribute(wanted, {}))), Errc::missing},
                {"extension twice",
                 p10(kZero, tlv(context(0), attribute(wanted, seq(join({extension, extension}))))),
                 Errc::duplicate},
                {"attributes explicit", p10(kZero, tlv(context(0), tlv(Tag::set, requested))),
                 Errc::bad_tag},
                {"info alone", seq(seq(join({kZero, kName, kSpki}))), Errc::missing},
            });
    }
}

}  // namespace
}  // namespace ra::cmp
