#include "transports/http1/request_reader.h"

#include <doctest/doctest.h>

#include "transports/http1/response_reader.h"

using transports::http1::is_cmp_media_type;
using transports::http1::RequestReader;
using transports::http1::ResponseReader;
using transports::http1::Stage;

TEST_SUITE_BEGIN("transports/http1");

namespace {

const std::vector<std::string> kNoAliases;
const std::string kLine = "POST /.well-known/cmp HTTP/1.1\r\nHost: a\r\n";
const std::string kType = "Content-Type: application/pkixcmp\r\n";

/// 0: a whole request; else the status it is refused with; 1: more is wanted.
unsigned verdict(const std::string& text, std::size_t piece = std::string::npos) {
    RequestReader reader{8192, 1000, kNoAliases};
    for (std::size_t at = 0; at < text.size();) {
        const std::string part = text.substr(at, piece);
        const Stage stage = reader.feed(ra::as_bytes(part));
        if (stage == Stage::done) return 0;
        if (stage == Stage::malformed) return reader.refusal();
        at += part.size();
    }
    return 1;
}

}  // namespace

TEST_CASE("RequestReader: what is refused, and how") {
    struct Row {
        const char* name;
        std::string text;
        unsigned want;
    };
    const std::string big(9000, 'x');
    std::string many;
    for (int i = 0; i < 101; ++i) many += "X" + std::to_string(i) + ": y\r\n";
    const Row rows[] = {
        {"whole", kLine + kType + "Content-Length: 3\r\n\r\nabc", 0},
        {"chunked", kLine + kType + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 0},
        {"chunk extension and trailer",
         kLine + kType + "Transfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n", 0},
        {"empty body", kLine + kType + "Content-Length: 0\r\n\r\n", 0},
        {"HTTP/1.0 without Host",
         "POST /.well-known/cmp HTTP/1.0\r\n" + kType + "Content-Length: 3\r\n\r\nabc", 0},
        {"old media type",
         kLine + "Content-Type: Application/X-PKIXCMP; q=1\r\nContent-Length: 1\r\n\r\na", 0},
        {"cut short", kLine + kType + "Content-Length: 4\r\n\r\nabc", 1},
        {"GET", "GET /.well-known/cmp HTTP/1.1\r\nHost: a\r\n\r\n", 405},
        {"HEAD", "HEAD /.well-known/cmp HTTP/1.1\r\nHost: a\r\n\r\n", 405},
        {"unknown method", "FOO /.well-known/cmp HTTP/1.1\r\nHost: a\r\n\r\n", 405},
        {"wrong path", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na", 404},
        {"no length", kLine + kType + "\r\n", 411},
        {"no media type", kLine + "Content-Length: 1\r\n\r\na", 415},
        {"other media type", kLine + "Content-Type: text/plain\r\nContent-Length: 1\r\n\r\na", 415},
        {"two media types", kLine + kType + kType + "Content-Length: 1\r\n\r\na", 400},
        {"other expectation", kLine + kType + "Expect: x\r\nContent-Length: 1\r\n\r\na", 417},
        {"too large", kLine + kType + "Content-Length: 1001\r\n\r\n", 413},
        {"length of 20 digits", kLine + kType + "Content-Length: 99999999999999999999\r\n\r\n",
         400},
        {"too large, chunked", kLine + kType + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n", 413},
        {"too large, many chunks",
         kLine + kType + "Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + std::string(1000, 'a') +
             "\r\n1\r\n",
         413},
        {"header too large", kLine + "X: " + big + "\r\n", 431},
        {"target too long", "POST /" + big + " HTTP/1.1\r\n", 431},
        {"too many fields", kLine + many + kType + "Content-Length: 1\r\n\r\na", 431},
        {"no Host", "POST /.well-known/cmp HTTP/1.1\r\n" + kType + "Content-Length: 1\r\n\r\na",
         400},
        {"two Hosts", kLine + "Host: b\r\n" + kType + "Content-Length: 1\r\n\r\na", 400},
        {"HTTP/2.0", "POST /.well-known/cmp HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        {"no HTTP", "\x30\x82\x01\x02garbage\r\n\r\n", 400},
        // Request smuggling: what two servers might frame differently.
        {"length and chunked",
         kLine + kType + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"chunked and length",
         kLine + kType + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400},
        {"two equal lengths", kLine + kType + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
         400},
        {"two lengths", kLine + kType + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
        {"list of lengths", kLine + kType + "Content-Length: 3, 3\r\n\r\nabc", 400},
        {"signed length", kLine + kType + "Content-Length: +3\r\n\r\nabc", 400},
        {"hexadecimal length", kLine + kType + "Content-Length: 0x3\r\n\r\nabc", 400},
        {"negative length", kLine + kType + "Content-Length: -1\r\n\r\n", 400},
        {"empty length", kLine + kType + "Content-Length: \r\n\r\n", 400},
        {"unknown coding", kLine + kType + "Transfer-Encoding: gzip\r\n\r\n", 501},
        {"obfuscated chunked", kLine + kType + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
        {"coding list", kLine + kType + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
        {"two codings",
         kLine + kType + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"identity before length",
         kLine + kType + "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc", 400},
        {"chunked in HTTP/1.0",
         "POST /.well-known/cmp HTTP/1.0\r\n" + kType + "Transfer-Encoding: chunked\r\n\r\n", 400},
        {"blank before colon", kLine + kType + "Content-Length : 3\r\n\r\nabc", 400},
        {"bad chunk size",
         kLine + kType + "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n", 400},
        {"chunk without line end",
         kLine + kType + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd0\r\n\r\n", 400},
        {"endless chunk size",
         kLine + kType + "Transfer-Encoding: chunked\r\n\r\n" + std::string(9000, '0'), 400},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        CHECK(verdict(row.text) == row.want);
        CHECK(verdict(row.text, 1) == row.want);
        CHECK(verdict(row.text, 7) == row.want);
    }
}

TEST_CASE("RequestReader: every proper prefix wants more") {
    const std::string text = kLine + kType + "Content-Length: 3\r\n\r\nabc";
    for (std::size_t size = 1; size < text.size(); ++size) {
        CHECK(verdict(text.substr(0, size)) == 1);
    }
}

TEST_CASE("RequestReader: the next request is left over") {
    const std::string text = kLine + kType + "Content-Length: 3\r\n\r\nabcPOST /";
    RequestReader reader{8192, 1000, kNoAliases};
    REQUIRE(reader.feed(ra::as_bytes(text)) == Stage::done);
    CHECK(ra::as_text(reader.surplus()) == "POST /");
    CHECK(ra::as_text(reader.take_body()) == "abc");
}

TEST_CASE("is_cmp_media_type") {
    for (const char* type : {"application/pkixcmp", "APPLICATION/PKIXCMP ;charset=utf-8",
                             "application/x-pkixcmp", "application/pkixcmp-poll"}) {
        CAPTURE(type);
        CHECK(is_cmp_media_type(type));
    }
    for (const char* type : {"", "application/pkixcmpx", "application/pkix-cert", "text/html"}) {
        CAPTURE(type);
        CHECK_FALSE(is_cmp_media_type(type));
    }
}

TEST_CASE("ResponseReader: framing") {
    struct Row {
        const char* name;
        std::string text;
        Stage fed;
        Stage ended;  // after the peer closed
    };
    const std::string ok = "HTTP/1.1 200 OK\r\nContent-Type: application/pkixcmp\r\n";
    const Row rows[] = {
        {"length", ok + "Content-Length: 2\r\n\r\nab", Stage::done, Stage::done},
        {"cut short", ok + "Content-Length: 3\r\n\r\nab", Stage::need_more, Stage::malformed},
        {"until close", ok + "\r\nab", Stage::need_more, Stage::done},
        {"chunked, cut short", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
         Stage::need_more, Stage::malformed},
        {"half a header", "HTTP/1.1 200 OK\r\nContent-", Stage::need_more, Stage::malformed},
        {"no content", "HTTP/1.1 204 No Content\r\n\r\n", Stage::done, Stage::done},
        {"giant", ok + "Content-Length: 104857600\r\n\r\n", Stage::malformed, Stage::malformed},
        {"giant until close", ok + "\r\n" + std::string(1001, 'a'), Stage::malformed,
         Stage::malformed},
        {"unknown coding", ok + "Transfer-Encoding: gzip\r\n\r\n", Stage::malformed,
         Stage::malformed},
        {"no HTTP", "SSH-2.0-x\r\n\r\n", Stage::malformed, Stage::malformed},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        ResponseReader reader{8192, 1000};
        const Stage fed = reader.feed(ra::as_bytes(row.text));
        CHECK(fed == row.fed);
        if (fed == Stage::need_more) CHECK(reader.feed_end() == row.ended);
    }
}

TEST_SUITE_END();
