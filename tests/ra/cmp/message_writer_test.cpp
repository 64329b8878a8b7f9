#include "ra/cmp/message_writer.h"

#include <doctest/doctest.h>

using namespace ra;
using cmp::BodyType;

namespace {

const Bytes kNonce(16, 0x5a);

cmp::HeaderFields fields() {
    cmp::HeaderFields made;
    made.transaction_id = kNonce;
    made.sender_nonce = kNonce;
    return made;
}

}  // namespace

TEST_SUITE("ra/cmp") {
    TEST_CASE("MessageWriter: the same octets as built part by part, at every length of length") {
        constexpr std::uint8_t kAlgorithm[] = {0x30, 0x03, 0x06, 0x01, 0x2a};
        for (const std::size_t size : {0U, 1U, 40U, 60U, 200U, 300U, 65'400U, 70'000U}) {
            CAPTURE(size);
            cmp::HeaderFields header = fields();
            header.protection_alg = kAlgorithm;
            const Bytes text(size, 'x');
            asn1::DerWriter error;
            error.utf8(as_text(text));
            const Bytes body = cmp::build_error_body(error.view());
            const Bytes signature(64, 0x11);
            const Bytes first{0x30, 0x01, 0x01}, second{0x30, 0x02, 0x02, 0x03};
            Bytes certificates = first;
            append(certificates, second);

            const ByteView pieces[] = {ByteView{body}.first(body.size() / 2),
                                       ByteView{body}.subspan(body.size() / 2)};
            cmp::MessageWriter writer{header, pieces, 100};
            CHECK(to_bytes(writer.protected_part()) ==
                  cmp::build_protected_part(cmp::build_header(header), body));
            const ByteView list[] = {first, second};
            CHECK(std::move(writer).finish(signature, list) ==
                  cmp::build_pki_message(cmp::build_header(header), body, signature, certificates));
        }
    }

    TEST_CASE("MessageWriter: without protection and certificates") {
        const Bytes body = cmp::build_pkiconf_body();
        const ByteView pieces[] = {body};
        cmp::MessageWriter writer{fields(), pieces, 0};
        CHECK(std::move(writer).finish({}, {}) ==
              cmp::build_pki_message(cmp::build_header(fields()), body, {}, {}));
    }

    TEST_CASE("nested_body_prefix: a nested body with one message parses") {
        const Bytes inner =
            cmp::build_pki_message(cmp::build_header(fields()), cmp::build_pkiconf_body(), {}, {});
        const Bytes prefix = cmp::nested_body_prefix(inner.size());
        const ByteView pieces[] = {prefix, inner};
        cmp::MessageWriter writer{fields(), pieces, 0};
        const Bytes whole = std::move(writer).finish({}, {});
        const auto parsed = cmp::parse_pki_message(whole, {});
        REQUIRE(parsed.has_value());
        CHECK(parsed->type == BodyType::nested);
        const auto nested = cmp::parse_nested(parsed->content, 0, {});
        REQUIRE(nested.has_value());
        REQUIRE(nested->size() == 1);
        CHECK(to_bytes(nested->front().whole) == inner);
    }

    TEST_CASE("write_header: freeText, recipKID and a sender by name come back") {
        const Bytes name{0x30, 0x00}, kid(20, 0x33);
        const Bytes text{0x0c, 0x02, 'h', 'i'};
        cmp::HeaderFields header = fields();
        header.sender_name = name;
        header.recip_kid = kid;
        header.free_text = text;
        const Bytes whole =
            cmp::build_pki_message(cmp::build_header(header), cmp::build_pkiconf_body(), {}, {});
        const auto parsed = cmp::parse_pki_message(whole, {});
        REQUIRE(parsed.has_value());
        CHECK(to_bytes(parsed->header.sender) == cmp::general_name(name));
        CHECK(to_bytes(*parsed->header.recip_kid) == kid);
        CHECK(to_bytes(*parsed->header.free_text) == text);
    }
}
