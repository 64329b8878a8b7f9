#include "ra/cmp/message.h"

#include <doctest/doctest.h>

#include <functional>

#include "ra/asn1/der_writer.h"
#include "ra/asn1/oids.h"
#include "ra/cmp/build.h"
#include "ra/cmp/oids.h"
#include "tests/ra/cmp/vectors.h"

namespace ra::cmp {
namespace {

using asn1::context;
using asn1::DerWriter;
using asn1::Tag;

const Bytes kNullDn{0xa4, 0x02, 0x30, 0x00};
const Bytes kAlgorithm{0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70};  // Ed25519
const Bytes kId(16, 0x11);

Bytes tagged(unsigned number, const Bytes& content) {
    DerWriter writer;
    writer.tlv(context(number), content);
    return std::move(writer).take();
}

Bytes tlv(Tag tag, ByteView content) {
    DerWriter writer;
    writer.tlv(tag, content);
    return std::move(writer).take();
}

Bytes join(std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const Bytes& part : parts) append(all, part);
    return all;
}

/// The pieces of an unprotected pkiconf; a row replaces some.
struct Pieces {
    Bytes pvno{0x02, 0x01, 0x02};
    Bytes sender = kNullDn;
    Bytes recipient = kNullDn;
    Bytes fields =
        join({tagged(4, tlv(Tag::octet_string, kId)), tagged(5, tlv(Tag::octet_string, kId))});
    Bytes body{0xb3, 0x02, 0x05, 0x00};
    Bytes rest;

    [[nodiscard]] Bytes der() const {
        return tlv(Tag::sequence,
                   join({tlv(Tag::sequence, join({pvno, sender, recipient, fields})), body, rest}));
    }
};

Bytes info(ByteView type, ByteView value) {
    return tlv(Tag::sequence, join({tlv(Tag::oid, type), to_bytes(value)}));
}

Bytes general_info(ByteView infos) { return tagged(8, tlv(Tag::sequence, infos)); }

struct Row {
    const char* name;
    std::function<void(Pieces&)> change;
    std::optional<Errc> want;
};

void check_rows(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Pieces pieces;
        row.change(pieces);
        const Bytes der = pieces.der();
        const auto message = parse_pki_message(der, Limits{});
        REQUIRE(message.has_value() == !row.want);
        if (!message.has_value()) {
            CHECK(message.error().code == *row.want);
            CHECK(message.error().offset <= der.size());
            CHECK_FALSE(message.error().field.empty());
        }
    }
}

TEST_SUITE("ra/cmp") {
    TEST_CASE("PKIHeader: fields") {
        const auto field = [](unsigned number, Bytes content) {
            return [=](Pieces& p) { p.fields = tagged(number, content); };
        };
        const auto octets = [&](unsigned number, std::size_t size) {
            return field(number, tlv(Tag::octet_string, Bytes(size, 0x22)));
        };
        const Bytes time = to_bytes(as_bytes("20260301120000Z"));
        check_rows({
            {"as it is", [](Pieces&) {}, std::nullopt},
            {"no optional field", [](Pieces& p) { p.fields.clear(); }, std::nullopt},
            {"pvno 255", [](Pieces& p) { p.pvno = {0x02, 0x02, 0x00, 0xff}; }, std::nullopt},
            {"pvno 256", [](Pieces& p) { p.pvno = {0x02, 0x02, 0x01, 0x00}; }, Errc::bad_value},
            {"pvno negative", [](Pieces& p) { p.pvno = {0x02, 0x01, 0xff}; }, Errc::bad_value},
            {"pvno not minimal", [](Pieces& p) { p.pvno = {0x02, 0x02, 0, 2}; }, Errc::bad_value},
            {"no pvno", [](Pieces& p) { p.pvno.clear(); }, Errc::bad_tag},
            {"sender is a Name", [](Pieces& p) { p.sender = {0x30, 0x00}; }, Errc::bad_tag},
            {"sender [9]", [](Pieces& p) { p.sender = {0xa9, 0x00}; }, Errc::bad_tag},
            {"sender dNSName", [](Pieces& p) { p.sender = {0x82, 1, 'a'}; }, std::nullopt},
            {"dNSName with 8 bits", [](Pieces& p) { p.sender = {0x82, 1, 0xe4}; }, Errc::bad_value},
            {"directoryName empty", [](Pieces& p) { p.sender = {0xa4, 0x00}; }, Errc::missing},
            {"directoryName of two", [](Pieces& p) { p.sender = {0xa4, 4, 0x30, 0, 0x30, 0}; },
             Errc::trailing_data},
            {"RDN empty", [](Pieces& p) { p.sender = {0xa4, 4, 0x30, 2, 0x31, 0}; },
             Errc::bad_value},
            {"recipient missing",
             [](Pieces& p) {
                 p.recipient.clear();
                 p.fields.clear();
             },
             Errc::missing},
            {"messageTime", field(0, tlv(Tag::generalized_time, time)), std::nullopt},
            {"messageTime as UTCTime", field(0, tlv(Tag::utc_time, time)), Errc::bad_tag},
            {"messageTime with fraction",
             field(0, tlv(Tag::generalized_time, as_bytes("20260301120000.1Z"))), Errc::bad_value},
            {"messageTime twice in its tag",
             field(0, join({tlv(Tag::generalized_time, time), tlv(Tag::generalized_time, time)})),
             Errc::trailing_data},
            {"senderKID of 256", octets(2, 256), std::nullopt},
            {"S-30: senderKID of 257", octets(2, 257), Errc::too_large},
            {"S-30: recipKID of 257", octets(3, 257), Errc::too_large},
            {"transactionID of 64", octets(4, 64), std::nullopt},
            {"S-30: transactionID of 65", octets(4, 65), Errc::too_large},
            {"S-30: transactionID of 15", octets(4, 15), Errc::bad_value},
            {"S-30: senderNonce of 65", octets(5, 65), Errc::too_large},
            {"S-30: senderNonce of 15", octets(5, 15), Errc::bad_value},
            {"S-30: recipNonce of 65", octets(6, 65), Errc::too_large},
            {"S-30: recipNonce empty", octets(6, 0), Errc::bad_value},
            {"transactionID implicit", field(4, kId), Errc::bad_tag},
            {"freeText", field(7, {0x30, 3, 0x0c, 1, 'a'}), std::nullopt},
            {"freeText empty", field(7, {0x30, 0}), Errc::bad_value},
            {"freeText not UTF-8", field(7, {0x30, 3, 0x0c, 1, 0xff}), Errc::bad_value},
            {"freeText IA5String", field(7, {0x30, 3, 0x16, 1, 'a'}), Errc::bad_tag},
            {"[9]", field(9, {0x30, 0}), Errc::trailing_data},
            {"fields out of order",
             [](Pieces& p) {
                 p.fields = join({tagged(5, tlv(Tag::octet_string, kId)),
                                  tagged(4, tlv(Tag::octet_string, kId))});
             },
             Errc::trailing_data},
            {"transactionID twice",
             [](Pieces& p) {
                 p.fields = join({tagged(4, tlv(Tag::octet_string, kId)),
                                  tagged(4, tlv(Tag::octet_string, kId))});
             },
             Errc::trailing_data},
        });
    }

    TEST_CASE("PKIHeader: generalInfo") {
        const auto infos = [](Bytes list) {
            return [=](Pieces& p) { p.fields = general_info(list); };
        };
        const ByteView implicit = oid::kImplicitConfirm.view();
        const ByteView profile = oid::kCertProfile.view();
        const ByteView wait = oid::kConfirmWaitTime.view();
        constexpr asn1::Oid kForeign = asn1::oid("1.2.3.4");
        const ByteView foreign = kForeign.view();
        Bytes many;
        for (std::uint8_t i = 0; i < 33; ++i) append(many, info(Bytes{0x2a, i}, {}));
        const Bytes full(many.begin(), many.end() - 6);
        check_rows({
            {"implicitConfirm", infos(info(implicit, Bytes{0x05, 0x00})), std::nullopt},
            {"implicitConfirm TRUE", infos(info(implicit, Bytes{1, 1, 0xff})), Errc::bad_tag},
            {"implicitConfirm twice",
             infos(join({info(implicit, Bytes{5, 0}), info(implicit, Bytes{5, 0})})),
             Errc::duplicate},
            {"unknown, opaque", infos(info(foreign, Bytes{0x24, 0x00})), Errc::bad_tag},
            {"unknown, a TLV", infos(info(foreign, Bytes{0x04, 0x01, 0xff})), std::nullopt},
            {"unknown, BER inside", infos(info(foreign, Bytes{0x30, 2, 0x24, 0})), std::nullopt},
            {"unknown twice", infos(join({info(foreign, {}), info(foreign, {})})), Errc::duplicate},
            {"two values", infos(info(foreign, Bytes{5, 0, 5, 0})), Errc::trailing_data},
            {"certProfile", infos(info(profile, Bytes{0x30, 3, 0x0c, 1, 'a'})), std::nullopt},
            {"certProfile a string", infos(info(profile, Bytes{0x0c, 1, 'a'})), Errc::bad_tag},
            {"certProfile not UTF-8", infos(info(profile, Bytes{0x30, 3, 0x0c, 1, 0xff})),
             Errc::bad_value},
            {"confirmWaitTime no time", infos(info(wait, tlv(Tag::generalized_time, {}))),
             Errc::bad_value},
            {"empty", infos({}), Errc::bad_value},
            {"32 elements", infos(full), std::nullopt},
            {"S-30: 33 elements", infos(many), Errc::too_many},
        });
    }

    TEST_CASE("PKIMessage: body, protection, extraCerts") {
        const auto body = [](Bytes der) { return [=](Pieces& p) { p.body = der; }; };
        const auto rest = [](Bytes der, bool algorithm) {
            return [=](Pieces& p) {
                p.rest = der;
                if (algorithm) p.fields = tagged(1, kAlgorithm);
            };
        };
        const Bytes protection = tagged(0, {0x03, 0x02, 0x00, 0xff});
        Bytes certificates;
        for (int i = 0; i < 17; ++i) append(certificates, Bytes{0x30, 0x00});
        const Bytes sixteen(certificates.begin(), certificates.end() - 2);
        Bytes deep{0x30, 0x00};
        for (int i = 0; i < 20; ++i) deep = tlv(Tag::sequence, deep);
        check_rows({
            {"body [27]", body({0xbb, 0x02, 0x05, 0x00}), Errc::bad_tag},
            {"body universal", body({0x30, 0x00}), Errc::bad_tag},
            {"body primitive", body({0x93, 0x02, 0x05, 0x00}), Errc::bad_tag},
            {"no body", body({}), Errc::missing},
            {"body empty", body({0xb3, 0x00}), Errc::missing},
            {"two in one body", body({0xb3, 0x04, 0x05, 0x00, 0x05, 0x00}), Errc::trailing_data},
            {"pkiconf not NULL", body({0xb3, 0x02, 0x30, 0x00}), Errc::bad_tag},
            {"pkiconf with content", body({0xb3, 0x03, 0x05, 0x01, 0x00}), Errc::bad_value},
            {"ir a SET", body({0xa0, 0x02, 0x31, 0x00}), Errc::bad_tag},
            {"two bodies", [](Pieces& p) { append(p.body, Bytes{0xb3, 2, 5, 0}); },
             Errc::trailing_data},
            {"protection", rest(protection, true), std::nullopt},
            {"protection without protectionAlg", rest(protection, false), Errc::missing},
            {"protectionAlg without protection", rest({}, true), Errc::missing},
            {"protection with unused bits", rest(tagged(0, {0x03, 0x02, 0x01, 0xfe}), true),
             Errc::bad_value},
            {"protection an OCTET STRING", rest(tagged(0, {0x04, 0x01, 0xff}), true),
             Errc::bad_tag},
            {"protection twice", rest(join({protection, protection}), true), Errc::trailing_data},
            {"one extra certificate", rest(tagged(1, {0x30, 2, 0x30, 0}), false), std::nullopt},
            {"extraCerts empty", rest(tagged(1, {0x30, 0x00}), false), Errc::bad_value},
            {"extraCerts not certificates", rest(tagged(1, {0x30, 2, 5, 0}), false), Errc::bad_tag},
            {"16 extraCerts", rest(tagged(1, tlv(Tag::sequence, sixteen)), false), std::nullopt},
            {"S-30: 17 extraCerts", rest(tagged(1, tlv(Tag::sequence, certificates)), false),
             Errc::too_many},
            {"extraCerts before protection",
             rest(join({tagged(1, {0x30, 2, 0x30, 0}), protection}), true), Errc::missing},
            {"S-30: protectionAlg parameters too deep",
             [=](Pieces& p) {
                 p.rest = protection;
                 p.fields =
                     tagged(1, tlv(Tag::sequence, join({{0x06, 0x03, 0x2b, 0x65, 0x70}, deep})));
             },
             Errc::too_deep},
            {"protectionAlg parameters in BER",
             [=](Pieces& p) {
                 p.rest = protection;
                 p.fields = tagged(1, {0x30, 9, 6, 3, 0x2b, 0x65, 0x70, 0x30, 2, 0x24, 0});
             },
             Errc::bad_tag},
        });
    }

    TEST_CASE("S-30: a message over the limit is refused before it is looked at") {
        Limits limits;
        const Bytes der = Pieces{}.der();
        limits.message_octets = der.size();
        CHECK(parse_pki_message(der, limits).has_value());
        limits.message_octets = der.size() - 1;
        CHECK(parse_pki_message(der, limits).error().code == Errc::too_large);
        CHECK(parse_pki_message({}, limits).error().code == Errc::missing);
    }

    TEST_CASE("PKIMessage: all 27 choices are recognised") {
        for (unsigned number = 0; number < kBodyTypes; ++number) {
            CAPTURE(number);
            Pieces pieces;
            const bool null = number == 19;
            pieces.body = tagged(number, null ? Bytes{0x05, 0x00} : Bytes{0x30, 0x00});
            const Bytes der = pieces.der();
            const auto message = parse_pki_message(der, Limits{});
            REQUIRE(message.has_value());
            CHECK(static_cast<unsigned>(message->type) == number);
            CHECK(to_string(message->type) != "unknown");
        }
    }

    TEST_CASE("PKIHeader: implicitConfirm, certProfile, names") {
        Pieces pieces;
        pieces.fields =
            general_info(join({info(oid::kCertProfile.view(), Bytes{0x30, 3, 0x0c, 1, 'p'}),
                               info(oid::kImplicitConfirm.view(), Bytes{0x05, 0x00})}));
        const Bytes der = pieces.der();
        const auto message = parse_pki_message(der, Limits{});
        REQUIRE(message.has_value());
        CHECK(message->header.implicit_confirm());
        CHECK(message->header.cert_profile() == "p");
        CHECK(is_null_dn(message->header.sender));
        CHECK_FALSE(message->header.info(oid::kCaCerts.view()).has_value());
        pieces.fields = general_info(
            info(oid::kCertProfile.view(), Bytes{0x30, 6, 0x0c, 1, 'p', 0x0c, 1, 'q'}));
        const Bytes two = pieces.der();
        CHECK_FALSE(parse_pki_message(two, Limits{})->header.cert_profile().has_value());
    }

    TEST_CASE("S-32: salvage takes identifiers from a well-formed header prefix only") {
        const Bytes der = test::vector_octets("ir-sig");
        const auto message = parse_pki_message(der, Limits{});
        REQUIRE(message.has_value());
        const ByteView id = *message->header.transaction_id;
        const ByteView nonce = *message->header.sender_nonce;
        const auto end_of = [&der](ByteView view) {
            return static_cast<std::size_t>(view.data() + view.size() - der.data());
        };
        for (std::size_t size = 0; size <= der.size(); ++size) {
            CAPTURE(size);
            const Salvage got = salvage({der.data(), size}, Limits{});
            CHECK(equal(got.transaction_id, size >= end_of(id) ? id : ByteView{}));
            CHECK(equal(got.sender_nonce, size >= end_of(nonce) ? nonce : ByteView{}));
        }
        Pieces pieces;
        pieces.fields = tagged(4, tlv(Tag::octet_string, Bytes(65, 1)));
        CHECK(salvage(pieces.der(), Limits{}).transaction_id.empty());
        pieces.fields = tagged(4, kId);
        CHECK(salvage(pieces.der(), Limits{}).transaction_id.empty());
        pieces.pvno = {0x04, 0x01, 0x02};
        CHECK(salvage(pieces.der(), Limits{}).transaction_id.empty());
        CHECK(salvage(Bytes{0x30, 0x80, 0x30, 0x80}, Limits{}).transaction_id.empty());
    }

    TEST_CASE("ParsedMessage: its views live as long as it does, wherever it is moved") {
        auto parsed = ParsedMessage::parse(MessageBuffer{test::vector_octets("ir-sig")}, Limits{});
        REQUIRE(parsed.has_value());
        const ParsedMessage moved = std::move(*parsed);
        CHECK(moved->whole.data() == moved.der().data());
        CHECK(moved->type == BodyType::ir);

        MessageBuffer broken{Bytes{0x30, 0x01}};
        CHECK_FALSE(ParsedMessage::parse(std::move(broken), Limits{}).has_value());
        CHECK(broken.view().size() == 2);  // NOLINT(bugprone-use-after-move): kept for salvage()
    }

    TEST_CASE(
        "vectors: header, body, protection and extraCerts put together again are the message") {
        for (const std::string& name : test::vector_names()) {
            CAPTURE(name);
            const Bytes der = test::vector_octets(name);
            const auto message = parse_pki_message(der, Limits{});
            REQUIRE(message.has_value());
            CHECK(equal(
                build_pki_message(message->header.whole, message->body,
                                  message->protection.value_or(ByteView{}), message->extra_certs),
                der));
        }
    }
}

}  // namespace
}  // namespace ra::cmp
