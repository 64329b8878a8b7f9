#include "ra/cmp/body.h"

#include <doctest/doctest.h>

#include "ra/asn1/der_writer.h"
#include "ra/asn1/name.h"
#include "ra/cmp/build.h"
#include "ra/cmp/oids.h"
#include "tests/ra/cmp/vectors.h"

namespace ra::cmp {
namespace {

using asn1::context;
using asn1::DerWriter;
using asn1::Tag;

Bytes tlv(Tag tag, const Bytes& content) {
    DerWriter writer;
    writer.tlv(tag, content);
    return std::move(writer).take();
}

Bytes seq(const Bytes& content) { return tlv(Tag::sequence, content); }

Bytes join(std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const Bytes& part : parts) append(all, part);
    return all;
}

Bytes repeat(const Bytes& part, unsigned times) {
    Bytes all;
    for (unsigned i = 0; i < times; ++i) append(all, part);
    return all;
}

const Bytes kSpki = seq({0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 2, 0, 0x42});
const Bytes kAlgorithm = seq({6, 3, 0x2b, 0x65, 0x70});
const Bytes kZero{0x02, 0x01, 0x00};
const Bytes kAccepted = seq({0x02, 0x01, 0x00});
const Bytes kName = seq(tlv(Tag::set, seq({6, 3, 0x55, 4, 3, 0x0c, 1, 'x'})));

/// The content of a body TLV.
Bytes inside(const Bytes& body) {
    asn1::DerReader reader{body};
    return to_bytes(reader.read_any("body").value().content);
}

struct Row {
    const char* name;
    Bytes content;
    std::optional<Errc> want;
};

template <class Parse>
void check_rows(const Parse& parse, const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto got = parse(row.content, std::size_t{100}, Limits{});
        REQUIRE(got.has_value() == !row.want);
        if (got.has_value()) {
            for (std::size_t size = 0; size < row.content.size(); ++size) {
                CHECK_FALSE(parse(ByteView{row.content.data(), size}, 100, Limits{}).has_value());
            }
            continue;
        }
        CHECK(got.error().code == *row.want);
        CHECK(got.error().offset >= 100);
        CHECK(got.error().offset <= 100 + row.content.size());
    }
}

/// CertReqMessages of one CertReqMsg with this template, controls and what follows certReq.
Bytes request(const Bytes& cert_template, const Bytes& controls = {}, const Bytes& rest = {}) {
    return seq(seq(join({seq(join({kZero, seq(cert_template), controls})), rest})));
}

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

    TEST_CASE("CertRepMessage") {
        const auto response = [](const Bytes& rest) {
            return seq(seq(seq(join({kZero, kAccepted, rest}))));
        };
        const Bytes certificate = seq(tlv(context(0), seq({})));
        check_rows(
            parse_cert_rep,
            {
                {"without certificate", response({}), std::nullopt},
                {"with certificate", response(certificate), std::nullopt},
                {"with rspInfo", response(join({certificate, {4, 1, 0}})), std::nullopt},
                {"encryptedCert, EncryptedValue", response(seq(tlv(context(1), seq({})))),
                 std::nullopt},
                {"encryptedCert, EnvelopedData", response(seq(tlv(context(1), {0xa0, 2, 0x24, 0}))),
                 std::nullopt},
                {"private key",
                 response(seq(join({tlv(context(0), seq({})), tlv(context(0), {0xa0, 0})}))),
                 std::nullopt},
                {"caPubs", seq(join({tlv(context(1), seq(seq({}))), seq({})})), std::nullopt},
                {"caPubs empty", seq(join({tlv(context(1), seq({})), seq({})})), Errc::missing},
                {"S-30: 17 caPubs", seq(join({tlv(context(1), seq(repeat(seq({}), 17))), seq({})})),
                 Errc::too_many},
                {"no response", seq({}), Errc::missing},
                {"S-30: 17 responses", seq(seq(repeat(seq(join({kZero, kAccepted})), 17))),
                 Errc::too_many},
                {"certificate no SEQUENCE", response(seq(tlv(context(0), {5, 0}))), Errc::bad_tag},
                {"certOrEncCert [2]", response(seq({0xa2, 0})), Errc::bad_tag},
                {"certifiedKeyPair empty", response(seq({})), Errc::missing},
                {"encryptedCert empty", response(seq({0xa1, 0})), Errc::missing},
                {"encryptedCert a string", response(seq({0xa1, 2, 4, 0})), Errc::bad_tag},
                {"status missing", seq(seq(seq(kZero))), Errc::missing},
                {"something after", response(join({certificate, {4, 0, 5, 0}})),
                 Errc::trailing_data},
            });
    }

    TEST_CASE("PKIStatusInfo, in an error body") {
        const auto error = [](const Bytes& status) { return seq(seq(status)); };
        check_rows(
            parse_error,
            {
                {"status alone", error({2, 1, 2}), std::nullopt},
                {"text and failInfo", error({2, 1, 2, 0x30, 3, 0x0c, 1, 'a', 3, 2, 7, 0x80}),
                 std::nullopt},
                {"status 7", error({2, 1, 7}), Errc::bad_value},
                {"status -1", error({2, 1, 0xff}), Errc::bad_value},
                {"no status", error({}), Errc::missing},
                {"statusString empty", error({2, 1, 2, 0x30, 0}), Errc::missing},
                {"statusString not UTF-8", error({2, 1, 2, 0x30, 3, 0x0c, 1, 0xff}),
                 Errc::bad_value},
                {"failInfo with trailing zeros", error({2, 1, 2, 3, 2, 0, 0x80}), Errc::bad_value},
                {"failInfo before statusString",
                 error({2, 1, 2, 3, 2, 7, 0x80, 0x30, 3, 0x0c, 1, 'a'}), Errc::trailing_data},
                {"errorCode and details",
                 seq(join({seq({2, 1, 2}), {2, 1, 5}, seq({0x0c, 1, 'a'})})), std::nullopt},
                {"errorDetails empty", seq(join({seq({2, 1, 2}), seq({})})), Errc::missing},
                {"details before code", seq(join({seq({2, 1, 2}), seq({0x0c, 1, 'a'}), {2, 1, 5}})),
                 Errc::trailing_data},
            });
    }

    TEST_CASE("certConf, pollReq, pollRep, rr, rp") {
        const Bytes hash{4, 1, 0xaa};
        check_rows(
            parse_cert_conf,
            {
                {"none: all rejected", seq({}), std::nullopt},
                {"one", seq(seq(join({hash, kZero}))), std::nullopt},
                {"with status and hashAlg",
                 seq(seq(join({hash, kZero, kAccepted, tlv(context(0), kAlgorithm)}))),
                 std::nullopt},
                {"hashAlg implicit",
                 seq(seq(join({hash, kZero, {0xa0, 5, 6, 3, 0x2b, 0x65, 0x70}}))), Errc::bad_tag},
                {"without certReqId", seq(seq(hash)), Errc::missing},
                {"S-30: 17", seq(repeat(seq(join({hash, kZero})), 17)), Errc::too_many},
            });
        check_rows(parse_poll_req,
                   {
                       {"one", seq(seq(kZero)), std::nullopt},
                       {"-1", seq(seq({2, 1, 0xff})), std::nullopt},
                       {"none", seq({}), Errc::missing},
                       {"bare INTEGER", seq(kZero), Errc::bad_tag},
                       {"two in one", seq(seq(join({kZero, kZero}))), Errc::trailing_data},
                   });
        check_rows(
            parse_poll_rep,
            {
                {"one", seq(seq(join({kZero, {2, 1, 60}}))), std::nullopt},
                {"with reason", seq(seq(join({kZero, {2, 1, 60}, seq({0x0c, 1, 'a'})}))),
                 std::nullopt},
                {"none", seq({}), Errc::missing},
                {"without checkAfter", seq(seq(kZero)), Errc::missing},
                {"reason empty", seq(seq(join({kZero, {2, 1, 60}, seq({})}))), Errc::missing},
            });
        const auto reason = [](const Bytes& value) {
            return seq(seq(
                join({seq({0x81, 1, 5}),
                      seq(seq(join({{6, 3, 0x55, 0x1d, 0x15}, tlv(Tag::octet_string, value)})))})));
        };
        check_rows(parse_rev_req,
                   {
                       {"without reason", seq(seq(seq({0x81, 1, 5}))), std::nullopt},
                       {"with reason", reason({0x0a, 1, 1}), std::nullopt},
                       {"reason an INTEGER", reason({2, 1, 1}), Errc::bad_tag},
                       {"reason 11", reason({0x0a, 1, 11}), Errc::bad_value},
                       {"reason with more", reason({0x0a, 1, 1, 5, 0}), Errc::trailing_data},
                       {"none", seq({}), Errc::missing},
                   });
        check_rows(parse_rev_rep,
                   {
                       {"one", seq(seq(kAccepted)), std::nullopt},
                       {"none", seq(seq({})), Errc::missing},
                       {"revCerts and crls",
                        seq(join({seq(kAccepted), tlv(context(0), seq(seq({}))),
                                  tlv(context(1), seq(seq({})))})),
                        std::nullopt},
                       {"crls empty", seq(join({seq(kAccepted), tlv(context(1), seq({}))})),
                        Errc::missing},
                       {"crls before revCerts",
                        seq(join({seq(kAccepted), tlv(context(1), seq(seq({}))),
                                  tlv(context(0), seq(seq({})))})),
                        Errc::trailing_data},
                   });
    }

    /// A message with this body around `kName`.
    Bytes message_of(const Bytes& body) {
        HeaderFields fields;
        const Bytes id(16, 7);
        fields.transaction_id = id;
        fields.sender_nonce = id;
        return build_pki_message(build_header(fields), body, {}, {});
    }

    TEST_CASE("S-30: nested messages, their count and their depth") {
        Bytes message = message_of(build_pkiconf_body());
        Limits limits;
        const auto nest = [](const Bytes& inner) {
            return message_of(tlv(context(20), seq(inner)));
        };
        for (unsigned depth = 1; depth <= limits.nesting_depth + 1; ++depth) {
            CAPTURE(depth);
            message = nest(message);
            const auto parsed = parse_pki_message(message, limits);
            REQUIRE(parsed.has_value());
            const auto checked = check_body(*parsed, limits);
            CHECK(checked.has_value() == (depth <= limits.nesting_depth));
            if (!checked.has_value()) CHECK(checked.error().code == Errc::too_deep);
        }
        const Bytes one = message_of(build_pkiconf_body());
        const Bytes hundred = nest(repeat(one, 100));
        const Bytes more = nest(repeat(one, 101));
        const auto at_most = parse_pki_message(hundred, limits);
        const auto too_many = parse_pki_message(more, limits);
        CHECK(check_body(*at_most, limits).has_value());
        CHECK(check_body(*too_many, limits).error().code == Errc::too_many);
        const Bytes none = nest({});
        CHECK_FALSE(check_body(*parse_pki_message(none, limits), limits).has_value());
        const Bytes broken = nest({0x30, 0x00});
        CHECK_FALSE(check_body(*parse_pki_message(broken, limits), limits).has_value());
    }

    TEST_CASE("nested: the bodies inside are checked, offsets count in the outer message") {
        Limits limits;
        const Bytes bad_ir = message_of(tlv(context(0), seq({})));
        const Bytes outer = message_of(tlv(context(20), seq(bad_ir)));
        const auto checked = check_body(*parse_pki_message(outer, limits), limits);
        REQUIRE_FALSE(checked.has_value());
        CHECK(checked.error().field == "certReqMessages");
        CHECK(checked.error().offset == outer.size());
    }

    TEST_CASE("nested: a fault in an inner header is placed in the outer message") {
        const Bytes content = seq(seq(join({seq({5, 0}), kZero})));  // pvno is a NULL
        const auto refused = parse_nested(content, 1000, Limits{});
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().field == "pvno");
        CHECK(refused.error().offset == 1006);
    }

    TEST_CASE("check_body: what it does not look into is still DER, within the depth") {
        const Limits limits;
        Bytes deep = seq({});
        for (unsigned depth = 1; depth < limits.depth; ++depth) deep = seq(deep);
        for (const unsigned type : {5U, 6U, 10U, 15U, 16U, 17U, 18U}) {
            CAPTURE(type);
            const Bytes fits = message_of(tlv(context(type), deep));
            const Bytes over = message_of(tlv(context(type), seq(deep)));
            const Bytes ber = message_of(tlv(context(type), {0x30, 2, 0x24, 0}));
            CHECK(check_body(*parse_pki_message(fits, limits), limits).has_value());
            CHECK(check_body(*parse_pki_message(over, limits), limits).error().code ==
                  Errc::too_deep);
            CHECK(check_body(*parse_pki_message(ber, limits), limits).error().code ==
                  Errc::bad_tag);
        }
    }

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
