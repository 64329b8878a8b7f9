#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "ra/app/server_metrics.h"
#include "ra/asn1/name.h"

namespace ra::app {
namespace {

/// One row of cmpgate_expiry_timestamp_seconds.
class Expiry {
public:
    explicit Expiry(std::vector<metrics::Sample>& samples) : samples_{samples} {}

    void add(std::string_view kind, const std::string& name, const std::string& subject,
             WallTime when) {
        // Two of one name (a root and its successor) are one row: that of the first to end.
        const auto [row, is_new] = rows_.try_emplace({std::string(kind), name, subject}, when);
        if (!is_new) row->second = std::min(row->second, when);
    }
    void add(std::string_view kind, const std::string& name, const crypto::Certificate& one) {
        add(kind, name, asn1::name_text(one.subject()), one.view().not_after);
    }
    /// Anchors and CRLs of one role.
    void add(const std::string& name, const crypto::TrustStorePtr& trust) {
        if (trust == nullptr) return;
        for (const crypto::CertificatePtr& anchor : trust->anchors()) add("anchor", name, *anchor);
        if (trust->crl_next_update() != WallTime::max())
            add("crl", name, "", trust->crl_next_update());
    }

    void show() const {
        for (const auto& [labels, when] : rows_) {
            const auto& [kind, name, subject] = labels;
            samples_.push_back({"cmpgate_expiry_timestamp_seconds",
                                "When it ends: notAfter of a certificate, nextUpdate of CRLs.",
                                true,
                                {{"kind", kind}, {"name", name}, {"subject", subject}},
                                static_cast<double>(when.time_since_epoch().count())});
        }
    }

private:
    std::map<std::tuple<std::string, std::string, std::string>, WallTime> rows_;
    std::vector<metrics::Sample>& samples_;
};

}  // namespace

void add_expiry_samples(std::vector<metrics::Sample>& samples, const gateway::Settings& settings) {
    Expiry expiry{samples};
    for (const crypto::CredentialPtr& credential : settings.credentials) {
        // Its chain ends with it: whichever is first.
        for (const crypto::CertificatePtr& one : credential->chain)
            expiry.add("credential", credential->name, *one);
    }
    for (const auto& [name, upstream] : settings.upstreams) {
        expiry.add("upstream " + name, upstream.responder.trust);
        for (const crypto::CertificatePtr& one : upstream.responder.pinned)
            expiry.add("responder", "upstream " + name, *one);
        for (const crypto::CertificatePtr& one : upstream.ca_pubs)
            expiry.add("ca_pubs", "upstream " + name, *one);
    }
    for (const policy::ProfilePtr& profile : settings.profiles) {
        expiry.add("profile " + profile->name, profile->origin.trust);
        expiry.add("profile " + profile->name + " ra", profile->ra.trust);
    }
    expiry.show();
}

void add_secret_samples(std::vector<metrics::Sample>& samples,
                        const store::SecretFigures& secrets) {
    const std::pair<const char*, std::size_t> states[] = {{"good", secrets.good},
                                                          {"spent", secrets.spent},
                                                          {"expired", secrets.expired},
                                                          {"locked", secrets.locked}};
    for (const auto& [state, count] : states) {
        samples.push_back({"cmpgate_secrets",
                           "Enrolment secrets by what can be done with them.",
                           true,
                           {{"state", state}},
                           static_cast<double>(count)});
    }
    static constexpr std::array<std::string_view, 3> kWithin{"1d", "7d", "30d"};
    static_assert(kWithin.size() == store::kSecretEnds.size());
    for (std::size_t i = 0; i < kWithin.size(); ++i) {
        samples.push_back({"cmpgate_secrets_ending",
                           "Good secrets that end within this time, sooner ones included.",
                           true,
                           {{"within", std::string(kWithin.at(i))}},
                           static_cast<double>(secrets.ending.at(i))});
    }
    if (!secrets.next) return;
    samples.push_back({"cmpgate_secrets_next_expiry_timestamp_seconds",
                       "When the first of the good secrets ends.",
                       true,
                       {},
                       static_cast<double>(secrets.next->time_since_epoch().count())});
}

}  // namespace ra::app
