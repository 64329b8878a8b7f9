#include "policy/approval.h"
#include "ra/cmp/message_writer.h"
#include "tests/policy/support.h"

using namespace policy_test;
using ra::crypto::ProtectionKind;

namespace {

Treatments all_by(Treatment treatment) {
    Treatments made;
    made.otherwise = treatment;
    return made;
}

Profile profile_with(Treatment treatment) {
    Profile profile = device_profile();
    profile.treatments = all_by(treatment);
    return profile;
}

}  // namespace

TEST_SUITE("policy") {
    TEST_CASE("treatment: the most specific entry wins") {
        Treatments table;
        table.otherwise = Treatment::forward;
        table.mac = Treatment::reprotect;
        table.nested = Treatment::unwrap;
        table.operation[static_cast<std::size_t>(BodyType::kur)] = Treatment::nest;
        struct Row {
            const char* name;
            BodyType type;
            ProtectionKind kind;
            bool nested;
            Treatment want;
        };
        const Row rows[] = {
            {"nothing said", BodyType::ir, ProtectionKind::signature, false, Treatment::forward},
            {"by its MAC", BodyType::ir, ProtectionKind::mac, false, Treatment::reprotect},
            {"as nested", BodyType::ir, ProtectionKind::signature, true, Treatment::unwrap},
            {"nested before MAC", BodyType::ir, ProtectionKind::mac, true, Treatment::unwrap},
            {"operation", BodyType::kur, ProtectionKind::signature, false, Treatment::nest},
            {"operation first", BodyType::kur, ProtectionKind::mac, true, Treatment::nest},
            {"unprotected", BodyType::genm, ProtectionKind::none, false, Treatment::forward},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            CHECK(table.of(row.type, row.kind, row.nested) == row.want);
        }
    }

    TEST_CASE("treatment: what may not be re-protected is refused by name (R-076, R-096..R-098)") {
        struct Row {
            const char* name;
            Treatment treatment;
            std::function<void(Request&, Profile&)> change;
            const char* rule;
            PKIFailureInfo info{};
        };
        const auto kur = [](Request& r, Profile&) { r.type = BodyType::kur; };
        const auto central = [](Request& r, Profile& p) {
            p.rules.central_key_generation = true;
            r.pvno = 3;
            r.without_key = true;
            r.popo = Request::Popo::absent;
        };
        const auto amends = [](Profile& p) {
            p.pop = Pop::optional;
            p.amend.max_validity = std::chrono::hours{24};
        };
        const Row rows[] = {
            {"ir forwarded", Treatment::forward, [](Request&, Profile&) {}, ""},
            {"ir nested", Treatment::nest, [](Request&, Profile&) {}, ""},
            {"ir re-protected", Treatment::reprotect, [](Request&, Profile&) {}, ""},
            {"kur forwarded", Treatment::forward, kur, ""},
            {"kur nested", Treatment::nest, kur, ""},
            {"kur re-protected", Treatment::reprotect, kur, "treatment",
             PKIFailureInfo::notAuthorized},
            {"kur raverified", Treatment::raverified, kur, "treatment",
             PKIFailureInfo::notAuthorized},
            {"central key generation forwarded", Treatment::forward, central, ""},
            {"central key generation nested", Treatment::nest, central, ""},
            {"central key generation re-protected", Treatment::reprotect, central, "treatment",
             PKIFailureInfo::badCertTemplate},
            {"central key generation raverified", Treatment::raverified, central, "treatment",
             PKIFailureInfo::badCertTemplate},
            {"no POP to vouch for", Treatment::raverified,
             [&](Request& r, Profile& p) {
                 amends(p);
                 r.popo = Request::Popo::absent;
             },
             "treatment", PKIFailureInfo::badPOP},
            {"a POP only the CA could check", Treatment::raverified,
             [&](Request& r, Profile& p) {
                 amends(p);
                 r.popo = Request::Popo::later;
             },
             "treatment", PKIFailureInfo::badPOP},
            {"a POP only the CA could check, untouched", Treatment::reprotect,
             [](Request& r, Profile& p) {
                 p.pop = Pop::optional;
                 r.popo = Request::Popo::later;
             },
             ""},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Request request;
            Profile profile = profile_with(row.treatment);
            row.change(request, profile);
            check(judged(message_of(request), profile), row.rule, row.info);
        }
    }

    TEST_CASE("treatment: explain names what would happen") {
        const auto request = proven(message_of({}), profile_with(Treatment::nest));
        REQUIRE(request.has_value());
        CHECK(choose_treatment(*request) == Treatment::nest);
        const auto verdicts = explain(*request, kNow);
        REQUIRE(!verdicts.empty());
        CHECK(verdicts.back().rule == "treatment");
        CHECK(verdicts.back().looked_at == "ir: nest");
    }
}
