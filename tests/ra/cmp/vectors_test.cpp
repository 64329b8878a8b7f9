#include "tests/ra/cmp/vectors.h"

#include <doctest/doctest.h>

#include "ra/asn1/name.h"
#include "ra/cmp/body.h"
#include "ra/cmp/oids.h"

namespace ra::cmp {
namespace {

using test::vector_names;
using test::vector_octets;

std::size_t offset_of(const PKIMessage& message) {
    return static_cast<std::size_t>(message.content.data() - message.whole.data());
}

TEST_SUITE("ra/cmp") {
    TEST_CASE("vectors: every message of openssl cmp parses, body included") {
        const auto names = vector_names();
        REQUIRE(names.size() >= 29);
        for (const std::string& name : names) {
            CAPTURE(name);
            const Bytes der = vector_octets(name);
            const auto message = parse_pki_message(der, Limits{});
            REQUIRE(message.has_value());
            CHECK(check_body(*message, Limits{}).has_value());
            CHECK(equal(message->whole, der));
            CHECK(message->header.pvno == 2);
            CHECK(message->header.transaction_id.has_value());
            CHECK(message->header.sender_nonce.has_value());
            CHECK(message->protected_content().data() + message->protected_content().size() ==
                  message->body.data() + message->body.size());
        }
    }

    TEST_CASE("vectors: every proper prefix is refused") {
        for (const std::string& name : vector_names()) {
            CAPTURE(name);
            const Bytes der = vector_octets(name);
            for (std::size_t size = 0; size < der.size(); ++size) {
                CAPTURE(size);
                CHECK_FALSE(parse_pki_message({der.data(), size}, Limits{}).has_value());
            }
        }
    }

    TEST_CASE("vectors: an octet after the end is refused") {
        for (const std::string& name : vector_names()) {
            CAPTURE(name);
            Bytes der = vector_octets(name);
            der.push_back(0);
            const auto message = parse_pki_message(der, Limits{});
            REQUIRE_FALSE(message.has_value());
            CHECK(message.error().code == Errc::trailing_data);
        }
    }

    TEST_CASE("vectors: no changed octet makes a parser read past the end") {
        for (const std::string& name : {"ir-sig", "ip-sig", "rr", "error", "pollrep", "p10cr"}) {
            const Bytes der = vector_octets(name);
            for (std::size_t i = 0; i < der.size(); ++i) {
                for (const unsigned mask : {0x01U, 0x20U, 0x80U, 0xffU}) {
                    Bytes changed = der;  // exactly sized, so that ASan sees one octet too many
                    changed[i] = static_cast<std::uint8_t>(changed[i] ^ mask);
                    const auto message = parse_pki_message(changed, Limits{});
                    if (!message.has_value()) continue;
                    CHECK(message->whole.size() == changed.size());
                    static_cast<void>(check_body(*message, Limits{}));
                }
            }
        }
    }

    TEST_CASE("vectors: body types") {
        struct Row {
            const char* name;
            BodyType want;
        };
        const Row rows[] = {
            {"ir-sig", BodyType::ir},
            {"ip-sig", BodyType::ip},
            {"cr-implicit", BodyType::cr},
            {"cp-implicit", BodyType::cp},
            {"kur", BodyType::kur},
            {"kup", BodyType::kup},
            {"p10cr", BodyType::p10cr},
            {"p10cr-cp", BodyType::cp},
            {"rr", BodyType::rr},
            {"rp", BodyType::rp},
            {"genm", BodyType::genm},
            {"genp", BodyType::genp},
            {"error", BodyType::error},
            {"certconf-sig", BodyType::certConf},
            {"pkiconf-sig", BodyType::pkiconf},
            {"pollreq", BodyType::pollReq},
            {"pollrep", BodyType::pollRep},
            {"ip-waiting", BodyType::ip},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            const Bytes der = vector_octets(row.name);
            const auto message = parse_pki_message(der, Limits{});
            REQUIRE(message.has_value());
            CHECK(message->type == row.want);
        }
    }

    TEST_CASE("vectors: an ir with signature, field by field") {
        const Bytes der = vector_octets("ir-sig");
        const auto message = parse_pki_message(der, Limits{});
        REQUIRE(message.has_value());
        const auto sender = directory_name(message->header.sender);
        REQUIRE(sender.has_value());
        CHECK(asn1::name_text(*sender) == "C=DE,O=Example,CN=device-4711");
        CHECK(message->header.transaction_id->size() == 16);
        CHECK_FALSE(message->header.recip_nonce.has_value());
        CHECK_FALSE(message->header.implicit_confirm());
        CHECK(message->extra_certs_count == 2);

        const auto requests =
            parse_cert_req_messages(message->content, offset_of(*message), Limits{});
        REQUIRE(requests.has_value());
        REQUIRE(requests->size() == 1);
        const CertReqMsg& request = requests->front();
        CHECK(request.cert_req_id == 0);
        CHECK(request.popo == PopoType::signature);
        REQUIRE(request.cert_template.subject.has_value());
        CHECK(asn1::name_text(*request.cert_template.subject) == "C=DE,O=Example,CN=device-4711");
        CHECK_FALSE(request.cert_template.wants_central_key_generation());
        CHECK(request.cert_template.public_key->key.size() == 65);
        CHECK(request.cert_template.extensions.size() >= 1);
    }

    TEST_CASE("vectors: protection by MAC, implicitConfirm, polling, failure, revocation") {
        const Bytes pbm = vector_octets("ir-pbm");
        const auto by_mac = parse_pki_message(pbm, Limits{});
        REQUIRE(by_mac.has_value());
        CHECK(oid::kPasswordBasedMac == by_mac->header.protection_alg->algorithm);
        CHECK(as_text(*by_mac->header.sender_kid) == "4711");

        const Bytes cr = vector_octets("cr-implicit");
        const auto implicit = parse_pki_message(cr, Limits{});
        REQUIRE(implicit.has_value());
        CHECK(implicit->header.implicit_confirm());
        const auto requests =
            parse_cert_req_messages(implicit->content, offset_of(*implicit), Limits{});
        REQUIRE(requests.has_value());
        REQUIRE(requests->front().cert_template.validity.has_value());
        CHECK(requests->front().cert_template.validity->not_after.has_value());

        const Bytes poll = vector_octets("pollrep");
        const auto poll_message = parse_pki_message(poll, Limits{});
        REQUIRE(poll_message.has_value());
        const auto poll_rep =
            parse_poll_rep(poll_message->content, offset_of(*poll_message), Limits{});
        REQUIRE(poll_rep.has_value());
        CHECK(poll_rep->front().cert_req_id == 0);
        CHECK(poll_rep->front().check_after == 1);

        const Bytes rejected = vector_octets("ip-rejected");
        const auto ip = parse_pki_message(rejected, Limits{});
        REQUIRE(ip.has_value());
        const auto rep = parse_cert_rep(ip->content, offset_of(*ip), Limits{});
        REQUIRE(rep.has_value());
        const PKIStatusInfo& status = rep->responses.front().status;
        CHECK(status.status == PKIStatus::rejection);
        CHECK(status.fail_info == 1U << 9U);
        CHECK(status.status_string.front() == "no proof");

        const Bytes rr = vector_octets("rr");
        const auto revoke = parse_pki_message(rr, Limits{});
        REQUIRE(revoke.has_value());
        const auto details = parse_rev_req(revoke->content, offset_of(*revoke), Limits{});
        REQUIRE(details.has_value());
        CHECK(details->front().reason == 1);
        CHECK(details->front().cert_details.serial_number.has_value());
        CHECK(asn1::name_text(*details->front().cert_details.issuer) ==
              "C=DE,O=Example,CN=Example Root");
    }

    TEST_CASE(
        "vectors: p10cr is answered with certReqId -1, raVerified and absent popo are told apart") {
        const Bytes p10 = vector_octets("p10cr");
        const auto message = parse_pki_message(p10, Limits{});
        REQUIRE(message.has_value());
        const auto request =
            parse_certification_request(message->content, offset_of(*message), Limits{});
        REQUIRE(request.has_value());
        CHECK(asn1::name_text(request->subject) == "C=DE,O=Example,CN=device-4711");
        CHECK(request->public_key.key.size() == 65);

        const Bytes answer = vector_octets("p10cr-cp");
        const auto cp = parse_pki_message(answer, Limits{});
        REQUIRE(cp.has_value());
        const auto rep = parse_cert_rep(cp->content, offset_of(*cp), Limits{});
        REQUIRE(rep.has_value());
        CHECK(rep->responses.front().cert_req_id == -1);
        const auto certificate = asn1::parse_certificate(rep->responses.front().certificate);
        REQUIRE(certificate.has_value());
        CHECK(asn1::name_text(certificate->subject) == "C=DE,O=Example,CN=device-4711");

        for (const auto& [name, want] : {std::pair{"ir-nopopo", PopoType::absent},
                                         std::pair{"ir-raverified", PopoType::raVerified}}) {
            CAPTURE(name);
            const Bytes der = vector_octets(name);
            const auto ir = parse_pki_message(der, Limits{});
            REQUIRE(ir.has_value());
            const auto requests = parse_cert_req_messages(ir->content, offset_of(*ir), Limits{});
            REQUIRE(requests.has_value());
            CHECK(requests->front().popo == want);
        }
    }
}

}  // namespace
}  // namespace ra::cmp
