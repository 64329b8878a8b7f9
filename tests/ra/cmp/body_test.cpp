#include "ra/cmp/body.h"

#include <doctest/doctest.h>

#include "ra/cmp/build.h"
#include "ra/cmp/oids.h"
#include "tests/ra/cmp/pieces.h"

namespace ra::cmp {
namespace {

using namespace test;

TEST_SUITE("ra/cmp") {
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
}

}  // namespace
}  // namespace ra::cmp
