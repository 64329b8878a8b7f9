#include <fstream>
#include <iterator>

#include "tests/policy/support.h"

/// Requests made by `openssl cmp` (tests/vectors/README.md), as the gateway would judge them.

using namespace policy_test;

namespace {

const std::string kFolder = CMPGATE_SOURCE_DIR "/tests/vectors/cmp/";

Bytes vector(const std::string& name) {
    std::ifstream file(kFolder + name + ".der", std::ios::binary);
    REQUIRE(file.good());
    return {std::istreambuf_iterator<char>(file), {}};
}

struct VectorClock final : ra::Clock {
    ra::WallTime now;
    explicit VectorClock(ra::WallTime at) : now{at} {}
    [[nodiscard]] ra::WallTime wall_now() const noexcept override { return now; }
    [[nodiscard]] ra::BootTime boot_now() const noexcept override {
        return ra::BootTime{std::chrono::hours{1}};
    }
};

Decision judged_when_sent(const std::string& name, const Profile& profile) {
    auto message = parsed(vector(name));
    if (auto header = check_header(message.message(), {}); !header)
        return std::move(header).error();
    REQUIRE(message->header.message_time.has_value());
    const VectorClock clock{*message->header.message_time};
    auto selected =
        select(std::move(message), {}, {std::make_shared<const Profile>(profile)}, nullptr);
    if (!selected) return std::move(selected).error();
    const auto plan = plan_origin(*selected, clock.now);
    if (!plan) return plan.error();
    OriginFacts facts;
    crypto::ChainVerifier chains{clock};
    facts.chain = chains.verify(*plan->trust, selected->message().extra_certs);
    if (facts.chain)
        facts.signature =
            crypto::verify_signature_protection(selected->message(), facts.chain->leaf->key());
    auto authentic = conclude_origin(std::move(*selected), *plan, facts, {});
    if (!authentic) return std::move(authentic).error();
    auto request = prove(std::move(*authentic), {});
    if (!request) return std::move(request).error();
    return decide(*request, clock.now);
}

}  // namespace

TEST_SUITE("policy") {
    TEST_CASE("requests of openssl cmp") {
        Profile profile = device_profile();
        profile.origin.trust = crypto::TrustStore::load({{kFolder + "ca.pem"}, {}, {}});
        profile.rules.subjects = {NamePattern::parse("C=DE,O=Example,CN=*")};
        profile.rules.san_dns = {DnsPattern::parse("*.example")};
        profile.rules.san_ip = {IpRange::parse("192.0.2.0/24")};
        profile.rules.genm_kinds = {asn1::parse_dotted("1.3.6.1.5.5.7.4.2")};
        Profile strict = profile;
        strict.rules.san_ip.clear();
        Profile opaque = profile;
        opaque.origin.kind = OriginSettings::Kind::opaque;
        opaque.origin.time_window = std::chrono::seconds{0};  // of vectors made long ago

        struct Row {
            const char* file;
            const Profile* profile;
            const char* rule;
            PKIFailureInfo info;
        };
        const Row rows[] = {
            {"ir-sig", &profile, "", {}},
            {"cr-implicit", &profile, "", {}},
            {"kur", &profile, "", {}},
            {"p10cr", &profile, "", {}},
            {"genm", &profile, "", {}},
            {"certconf-sig", &profile, "", {}},
            {"ir-pbm", &opaque, "", {}},
            {"ir-sig", &strict, "subject-alt-name", PKIFailureInfo::badCertTemplate},
            {"ir-pbm", &profile, "protection-kind", PKIFailureInfo::wrongIntegrity},
            {"genm-unprotected", &profile, "unprotected", PKIFailureInfo::badMessageCheck},
            {"ir-nopopo", &profile, "pop", PKIFailureInfo::badPOP},
            {"ir-raverified", &profile, "ra-verified", PKIFailureInfo::notAuthorized},
            {"rr", &profile, "revocation", PKIFailureInfo::notAuthorized},
            {"ip-sig", &profile, "body-type", PKIFailureInfo::badRequest},
            {"error", &profile, "body-type", PKIFailureInfo::badRequest},
        };
        for (const Row& row : rows) {
            CAPTURE(row.file);
            if (row.profile == &opaque) {
                const auto relayed = proven(vector(row.file), opaque);
                CHECK(relayed.has_value());
                continue;
            }
            check(judged_when_sent(row.file, *row.profile), row.rule, row.info);
        }
    }
}
