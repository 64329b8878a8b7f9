#include "policy/approval.h"

#include "ra/cmp/message_writer.h"
#include "ra/crypto/envelope.h"
#include "tests/policy/support.h"

using namespace policy_test;

namespace {

struct Nested {
    const crypto::Credential* by = &Pki::get().ra;
    Bytes transaction_id = Bytes(16, 0x42), sender_nonce = Bytes(16, 0x17);
    std::optional<ra::WallTime> time = kNow;
    Bytes inner = message_of({});
    unsigned count = 1;
    bool unprotected = false;
};

Bytes nested(const Nested& wanted) {
    Bytes all;
    for (unsigned i = 0; i < wanted.count; ++i) ra::append(all, wanted.inner);
    crypto::Unprotected out;
    const Bytes prefix = cmp::nested_body_prefix(all.size());
    out.header.transaction_id = wanted.transaction_id;
    out.header.sender_nonce = wanted.sender_nonce;
    out.header.message_time = wanted.time;
    out.body = {prefix, all};
    if (!wanted.unprotected) return crypto::sign_message(*wanted.by, out).value();
    Bytes body = prefix;
    ra::append(body, all);
    return cmp::build_pki_message(cmp::build_header(out.header), body, {}, {});
}

Profile approving() {
    Profile profile = device_profile();
    profile.ra.trust = Pki::get().ras.trust;
    profile.ra.nested = true;
    return profile;
}

/// As Decision: Permit where the approval verifies.
Decision approval_of(Bytes der, const Profile& profile) {
    const auto outer = parsed(std::move(der));
    const auto inner = open_nested(outer.message(), {});
    if (!inner) return inner.error();
    const auto plan = plan_approval(outer.message(), profile, kNow);
    if (!plan) return plan.error();
    const FixedClock clock;
    crypto::ChainVerifier chains{clock};
    ApprovalFacts facts;
    facts.chain = chains.verify(*plan->trust, outer.message().extra_certs);
    if (facts.chain) {
        facts.signature =
            crypto::verify_signature_protection(outer.message(), facts.chain->leaf->key());
    }
    const auto approval = conclude_approval(outer.message(), profile, facts);
    if (!approval) return approval.error();
    return Permit{};
}

}  // namespace

TEST_SUITE("policy") {
    TEST_CASE("S-11: whose nested counts as approval") {
        struct Row {
            const char* name;
            std::function<void(Nested&, Profile&)> change;
            const char* rule;
            PKIFailureInfo info{};
        };
        const Pki& pki = Pki::get();
        const Row rows[] = {
            {"an RA", [](Nested&, Profile&) {}, ""},
            {"no right to nest", [](Nested&, Profile& p) { p.ra.nested = false; }, "nested",
             PKIFailureInfo::notAuthorized},
            {"no RA trust", [](Nested&, Profile& p) { p.ra.trust = nullptr; }, "nested",
             PKIFailureInfo::notAuthorized},
            {"a device with cmcRA from its maker", [&](Nested& n, Profile&) { n.by = &pki.posing; },
             "chain", PKIFailureInfo::signerNotTrusted},
            {"an RA without cmcRA", [&](Nested& n, Profile&) { n.by = &pki.ra_without_eku; },
             "nested", PKIFailureInfo::notAuthorized},
            {"cmcRA not wanted",
             [&](Nested& n, Profile& p) {
                 n.by = &pki.ra_without_eku;
                 p.ra.require_cmc_ra = false;
             },
             ""},
            {"unprotected", [](Nested& n, Profile&) { n.unprotected = true; }, "unprotected",
             PKIFailureInfo::badMessageCheck},
            {"old", [](Nested& n, Profile&) { n.time = kNow - std::chrono::hours{1}; },
             "message-time", PKIFailureInfo::badTime},
            {"two messages", [](Nested& n, Profile&) { n.count = 2; }, "batch",
             PKIFailureInfo::badRequest},
            {"a batch of one", [](Nested& n, Profile&) { n.transaction_id[0] ^= 1U; }, "batch",
             PKIFailureInfo::badRequest},
            {"another nonce (R-081)", [](Nested& n, Profile&) { n.sender_nonce[0] ^= 1U; },
             "nested", PKIFailureInfo::badSenderNonce},
            {"nested in nested", [](Nested& n, Profile&) { n.inner = nested({}); }, "nested",
             PKIFailureInfo::badRequest},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            Nested wanted;
            Profile profile = approving();
            row.change(wanted, profile);
            check(approval_of(nested(wanted), profile), row.rule, row.info);
        }
    }

    TEST_CASE("nested: any changed octet of the approved message breaks the approval") {
        const Bytes good = nested({});
        const auto whole = parsed(good);
        const auto from = static_cast<std::size_t>(whole->content.data() - whole->whole.data());
        unsigned looked_at = 0;
        for (std::size_t at = from; at < from + whole->content.size(); at += 7) {
            Bytes changed = good;
            changed[at] ^= 0x01U;
            const auto still = cmp::ParsedMessage::parse(cmp::MessageBuffer{changed}, {});
            if (!still) continue;
            if (!open_nested(still->message(), {})) continue;
            ++looked_at;
            CHECK(std::holds_alternative<Refuse>(approval_of(changed, approving())));
        }
        CHECK(looked_at > 20);
    }
}
