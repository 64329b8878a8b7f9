#include "ra/cmp/inspect.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "ra/asn1/der_writer.h"
#include "ra/cmp/build.h"
#include "ra/cmp/input.h"
#include "tests/ra/cmp/vectors.h"

namespace ra::cmp {
namespace {

using test::vector_octets;

std::string text_of(const Bytes& der) {
    return inspect_text(parse_pki_message(der, Limits{}).value(), Limits{});
}

boost::json::object json_of(const Bytes& der) {
    const auto message = parse_pki_message(der, Limits{});
    return boost::json::parse(inspect_json(message.value(), Limits{})).as_object();
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

TEST_SUITE("ra/cmp") {
    TEST_CASE("inspect: every vector as JSON that parses and text without control characters") {
        for (const std::string& name : test::vector_names()) {
            CAPTURE(name);
            const Bytes der = vector_octets(name);
            const auto message = parse_pki_message(der, Limits{});
            REQUIRE(message.has_value());
            const auto json = json_of(der);
            CHECK(json.at("octets").to_number<std::size_t>() == der.size());
            CHECK(json.at("body").as_object().contains(std::string{to_string(message->type)}));
            CHECK(json.at("header").as_object().at("transactionID").as_string() ==
                  to_hex(*message->header.transaction_id));
            for (const char c : text_of(der)) {
                CHECK((c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f)));
            }
            CHECK_FALSE(has(text_of(der), "fault"));
        }
    }

    TEST_CASE("inspect: an ir as a person reads it") {
        const std::string text = text_of(vector_octets("ir-sig"));
        for (const char* line :
             {"  sender: C=DE,O=Example,CN=device-4711\n", "  protectionAlg: ecdsa-with-SHA256\n",
              "        publicKey: ecPublicKey P-256\n",
              "          subjectAltName: dns:device-4711.example, ip:192.0.2.7\n",
              "      popo: signature\n", "  - subject: C=DE,O=Example,CN=device-4711\n"}) {
            CAPTURE(line);
            CHECK(has(text, line));
        }
        CHECK_FALSE(has(text, "hints"));
    }

    TEST_CASE("inspect: status, failInfo, MAC parameters, certificates") {
        const std::string rejected = text_of(vector_octets("ip-rejected"));
        CHECK(has(rejected, "status: rejection\n"));
        CHECK(has(rejected, "failInfo: badPOP\n"));
        CHECK(has(rejected, "statusString: no proof\n"));
        const std::string pbm = text_of(vector_octets("ir-pbm"));
        CHECK(has(pbm, "algorithm: PasswordBasedMac\n"));
        CHECK(has(pbm, "iterationCount: 500\n"));
        CHECK(has(pbm, "senderKIDText: 4711\n"));
        CHECK(has(text_of(vector_octets("ip-sig")), "notAfter: 2036-"));
        CHECK(has(text_of(vector_octets("rr")), "reasonCode: 1\n"));
        CHECK(has(text_of(vector_octets("pollrep")), "checkAfter: 1\n"));
        CHECK(has(text_of(vector_octets("cr-implicit")), "infoType: implicitConfirm\n"));
    }

    TEST_CASE("inspect: hints") {
        const std::string unprotected = text_of(vector_octets("genm-unprotected"));
        CHECK(has(unprotected, "  - not protected\n"));
        CHECK(has(text_of(vector_octets("ir-raverified")), "raVerified: only an RA may say so"));
        const Bytes empty = build_pki_message(build_header({}), build_pkiconf_body(), {}, {});
        const std::string text = text_of(empty);
        for (const char* hint : {"transactionID is missing", "senderNonce is missing",
                                 "recipNonce is missing", "neither sender nor senderKID"}) {
            CAPTURE(hint);
            CHECK(has(text, hint));
        }
    }

    TEST_CASE("inspect: a body that does not parse is shown with its fault") {
        const Bytes der =
            build_pki_message(build_header({}), Bytes{0xa0, 0x02, 0x30, 0x00}, {}, {});
        const auto json = json_of(der);
        const auto& fault =
            json.at("body").as_object().at("ir").as_object().at("fault").as_object();
        CHECK(fault.at("error").as_string() == "missing");
        CHECK(fault.at("field").as_string() == "certReqMessages");
        CHECK(fault.at("offset").to_number<std::size_t>() == der.size());
        CHECK(has(text_of(der), "the body does not parse"));
    }

    TEST_CASE("inspect: texts from outside cannot drive a terminal") {
        const Bytes status =
            build_status_info(PKIStatus::rejection, {}, "\x1b[2J\xc2\x9b\xe2\x80\xae");
        const Bytes der = build_pki_message(build_header({}), build_error_body(status), {}, {});
        CHECK(has(text_of(der), "statusString: \\1b[2J\\c2\\9b\\e2\\80\\ae\n"));
        CHECK_FALSE(has(inspect_json(*parse_pki_message(der, Limits{}), Limits{}), "\x1b"));
    }

    TEST_CASE("inspect: nested messages are shown inside") {
        const Bytes inner = vector_octets("ir-sig");
        Bytes list;
        asn1::append_header(list, asn1::Tag::sequence, inner.size());
        append(list, inner);
        Bytes body;
        asn1::append_header(body, asn1::context(20), list.size());
        append(body, list);
        const Bytes der = build_pki_message(build_header({}), body, {}, {});
        const auto json = json_of(der);
        const auto& nested = json.at("body").as_object().at("nested").as_array();
        REQUIRE(nested.size() == 1);
        CHECK(nested[0].as_object().at("body").as_object().contains("ir"));
    }

    std::string base64(const Bytes& octets, std::size_t line) {
        constexpr std::string_view kDigits =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        std::string text;
        for (std::size_t i = 0; i < octets.size(); i += 3) {
            std::uint32_t bits = 0;
            const std::size_t have = std::min<std::size_t>(3, octets.size() - i);
            for (std::size_t k = 0; k < 3; ++k) bits = bits << 8U | (k < have ? octets[i + k] : 0U);
            for (std::size_t k = 0; k < 4; ++k) {
                text += k <= have ? kDigits[bits >> (18 - 6 * k) & 63U] : '=';
            }
            if (line != 0 && (i / 3 + 1) % (line / 4) == 0) text += '\n';
        }
        return text;
    }

    TEST_CASE("read_messages: DER, several, PEM, base64") {
        const Bytes one = vector_octets("ir-sig");
        const Bytes two = vector_octets("ip-sig");
        Bytes both = one;
        append(both, two);
        const auto pem = [](const std::string& label, const std::string& body) {
            return "-----BEGIN " + label + "-----\n" + body + "\n-----END " + label + "-----\n";
        };
        const auto read = [](std::string_view text) {
            return read_messages(to_bytes(as_bytes(text)));
        };
        const std::pair<const char*, Result<std::vector<Bytes>>> rows[] = {
            {"DER", read_messages(both)},
            {"base64", read(base64(both, 64))},
            {"base64 in one line", read(base64(both, 0) + "\r\n")},
            {"PEM, two blocks",
             read(pem("CMP", base64(one, 64)) + pem("ANY LABEL", base64(two, 64)))},
            {"PEM, one block of two", read("a note\n" + pem("X", base64(both, 76)))},
        };
        for (const auto& [name, got] : rows) {
            CAPTURE(name);
            REQUIRE(got.has_value());
            REQUIRE(got->size() == 2);
            CHECK(equal((*got)[0], one));
            CHECK(equal((*got)[1], two));
        }
        const std::string whole = base64(one, 0);
        const std::pair<const char*, std::string> refused[] = {
            {"empty", ""},
            {"white space", " \n"},
            {"prose", "hello, world"},
            {"base64 of no SEQUENCE", "AAAA"},
            {"base64 cut", whole.substr(0, whole.size() - 1)},
            {"base64 of a cut message", whole.substr(0, 400)},
            {"three paddings", "MA==="},
            {"data after the padding", "MAA=MAA="},
            {"PEM without END", "-----BEGIN CMP-----\n" + whole},
            {"PEM without a body", pem("CMP", "")},
            {"PEM with a foreign character", pem("CMP", "MA*A")},
            {"DER with something after", std::string{as_text(one)} + '\0'},
            {"DER cut", std::string{as_text(one)}.substr(0, one.size() - 1)},
        };
        for (const auto& [name, text] : refused) {
            CAPTURE(name);
            CHECK_FALSE(read(text).has_value());
        }
    }
}

}  // namespace
}  // namespace ra::cmp
