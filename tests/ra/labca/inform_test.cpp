#include "tests/ra/labca/lab.h"

namespace labca_test {
namespace {

/// The one InfoTypeAndValue of a genp.
cmp::InfoTypeAndValue info_of(const Heard& heard) {
    REQUIRE(heard.type() == BodyType::genp);
    const auto infos = cmp::parse_gen_msg(heard.message->content, 0, {}).value();
    REQUIRE(infos.size() == 1);
    return infos.front();
}

/// CRLStatus list with one entry for this issuer.
Bytes crl_status(ByteView issuer, std::optional<WallTime> since) {
    asn1::DerWriter writer;
    {
        const auto list = writer.open(asn1::Tag::sequence);
        const auto status = writer.open(asn1::Tag::sequence);
        writer.tlv(asn1::context(1), cmp::general_name(issuer));
        if (since)
            writer.tlv(asn1::Tag::generalized_time, as_bytes(asn1::generalized_time(*since)));
    }
    return std::move(writer).take();
}

std::size_t occurrences(ByteView octets, ByteView part) {
    std::size_t count = 0;
    for (std::size_t at = 0; at + part.size() <= octets.size(); ++at)
        count += equal(octets.subspan(at, part.size()), part) ? 1 : 0;
    return count;
}

}  // namespace

TEST_SUITE("ra/labca") {
    TEST_CASE("rr: own certificate once; the CRL lists it and its number grows") {
        Lab lab;
        const auto own = lab.ca.issue_device_certificate("CN=device");
        const auto& view = own->certificate->view();
        const Bytes before = lab.ca.crl().value();
        CHECK(occurrences(before, view.serial) == 0);
        Client client = lab.client(own);
        const Bytes rr = cmp::build_rev_req_body(view.issuer, view.serial, 1);
        CHECK(client.begin(rr).status().status == PKIStatus::accepted);
        CHECK(occurrences(lab.ca.crl().value(), view.serial) == 1);
        CHECK(lab.ca.ledger().revocations().number == 2);

        CHECK(client.begin(rr).refused_for(PKIFailureInfo::certRevoked));
        CHECK(lab.ca.ledger().revocations().number == 2);
        const Heard no = client.begin(request(BodyType::ir, *new_key()));
        CHECK(no.type() == BodyType::error);
        CHECK(no.refused_for(PKIFailureInfo::certRevoked));
    }

    TEST_CASE("rr: refusals") {
        Lab lab;
        const auto own = lab.ca.issue_device_certificate("CN=device");
        const auto other = lab.ca.issue_device_certificate("CN=other");
        const auto& mine = own->certificate->view();
        const auto& theirs = other->certificate->view();
        const Bytes elsewhere = crypto::name_of("CN=Another CA");
        struct Row {
            const char* name;
            Bytes body;
            PKIFailureInfo info;
        };
        const Row rows[] = {
            {"another's", cmp::build_rev_req_body(theirs.issuer, theirs.serial, 1),
             PKIFailureInfo::notAuthorized},
            {"another CA's", cmp::build_rev_req_body(elsewhere, mine.serial, 1),
             PKIFailureInfo::badCertId},
            {"reason 7", cmp::build_rev_req_body(mine.issuer, mine.serial, 7),
             PKIFailureInfo::badRequest},
            {"reason 8", cmp::build_rev_req_body(mine.issuer, mine.serial, 8),
             PKIFailureInfo::badRequest},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Client client = lab.client(own);
            const Heard heard = client.begin(row.body);
            CHECK(heard.type() == BodyType::rp);
            CHECK(heard.refused_for(row.info));
        }
        CHECK(lab.ca.ledger().revocations().list.empty());
    }

    TEST_CASE("genm: what is asked, and under which name it is answered") {
        Lab lab;
        Client client = lab.client();
        const auto ask = [&](const asn1::Oid& type, ByteView value = {}) {
            return client.begin(cmp::build_genm_body(type.view(), value));
        };
        const Heard certs = ask(cmp::oid::kCaCerts);
        CHECK(cmp::oid::kCaCerts == info_of(certs).type);
        CHECK(occurrences(info_of(certs).value, lab.ca.certificate()->der()) == 1);

        const Heard update = ask(cmp::oid::kRootCaCert, lab.ca.certificate()->der());
        CHECK(cmp::oid::kRootCaKeyUpdate == info_of(update).type);
        CHECK(info_of(update).value.empty());

        const Heard tmpl = ask(cmp::oid::kCertReqTemplate);
        CHECK(cmp::oid::kCertReqTemplate == info_of(tmpl).type);
        CHECK(info_of(tmpl).value.empty());

        const ByteView issuer = lab.ca.certificate()->subject();
        const Heard crls = ask(cmp::oid::kCrlStatusList, crl_status(issuer, std::nullopt));
        CHECK(cmp::oid::kCrls == info_of(crls).type);
        CHECK_FALSE(info_of(crls).value.empty());
        const Heard old = ask(cmp::oid::kCrlStatusList,
                              crl_status(issuer, lab.clock.wall_now() - std::chrono::hours{1}));
        CHECK_FALSE(info_of(old).value.empty());
        const Heard none = ask(cmp::oid::kCrlStatusList, crl_status(issuer, lab.clock.wall_now()));
        CHECK(info_of(none).value.empty());

        CHECK_FALSE(info_of(ask(cmp::oid::kCurrentCrl)).value.empty());
        const Heard unknown = ask(asn1::oid("1.2.3.4"));
        CHECK(unknown.type() == BodyType::error);
        CHECK(unknown.refused_for(PKIFailureInfo::badRequest));
    }
}

}  // namespace labca_test
