#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "../../support/fake_clock.h"
#include "ra/crypto/files.h"
#include "ra/crypto/signer.h"
#include "ra/crypto/trust.h"

using namespace ra;
using namespace std::chrono_literals;
using crypto::CrlPolicy;
using crypto::PrivateKey;
using crypto::TrustStore;

namespace {

/// A root, two devices below it, and its CRL that lasts an hour and revokes the second.
class Revoking {
public:
    explicit Revoking(const test::FakeClock& clock, std::string_view root = "CN=Root")
        : now_{clock.wall_now()}, name_{crypto::name_of(root)} {
        std::string name = (std::filesystem::temp_directory_path() / "cmpgate-crl-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        folder_ = name;
        root_ = issue(root, 1, true);
        good = issue("CN=good", 2, false);
        revoked = issue("CN=revoked", 3, false);
        const Bytes crl = crypto::build_crl(name_, now_ - 1h, now_ + 1h, {{Bytes{3}, now_ - 2h, 1}},
                                            1, {}, *root_key_)
                              .value();
        write("root.pem", crypto::pem_text("CERTIFICATE", root_));
        write("root.crl", crypto::pem_text("X509 CRL", crl));
    }
    ~Revoking() { std::filesystem::remove_all(folder_); }
    Revoking(const Revoking&) = delete;
    Revoking& operator=(const Revoking&) = delete;

    [[nodiscard]] crypto::TrustStorePtr trust(CrlPolicy policy, std::chrono::seconds grace = 0s,
                                              const Revoking* crl_of = nullptr) const {
        TrustStore::Files files;
        files.anchors = {(folder_ / "root.pem").string()};
        files.crls = {((crl_of != nullptr ? crl_of : this)->folder_ / "root.crl").string()};
        files.crl_policy = policy;
        files.crl_grace = grace;
        return TrustStore::load(files);
    }

    Bytes good, revoked;

private:
    Bytes issue(std::string_view subject, std::uint8_t serial, bool ca) {
        const auto key = ca ? root_key_ : PrivateKey::generate("ec:P-256");
        const Bytes number{serial};
        const Bytes name = crypto::name_of(subject);
        constexpr std::uint16_t kCertAndCrlSign = (1U << 5U) | (1U << 6U);
        Bytes extensions = crypto::basic_constraints_extension(ca);
        append(extensions, crypto::key_usage_extension(ca ? kCertAndCrlSign : 1U));
        crypto::CertificateFields fields;
        fields.serial = number;
        fields.issuer = name_;
        fields.subject = name;
        fields.not_before = now_ - 24h;
        fields.not_after = now_ + 24h * 365;
        fields.spki = key->spki();
        fields.extensions = extensions;
        return crypto::build_certificate(fields, *root_key_).value();
    }
    void write(const char* name, std::string_view text) const {
        std::ofstream{folder_ / name} << text;
    }

    WallTime now_;
    Bytes name_;
    std::filesystem::path folder_;
    std::shared_ptr<const PrivateKey> root_key_ = PrivateKey::generate("ec:P-256");
    Bytes root_;
};

}  // namespace

TEST_SUITE("ra/crypto") {
    TEST_CASE("S-43: a CRL past nextUpdate is a choice, hard or soft for so long") {
        test::FakeClock clock;
        const Revoking pki{clock};
        struct Row {
            const char* name;
            CrlPolicy policy;
            std::chrono::seconds grace;
            std::chrono::seconds later;
            std::optional<Errc> want;
        };
        const Row rows[] = {
            {"hard, fresh", CrlPolicy::hard, 0s, 0s, std::nullopt},
            {"hard, a second before nextUpdate", CrlPolicy::hard, 0s, 3599s, std::nullopt},
            {"hard, past nextUpdate", CrlPolicy::hard, 0s, 3601s, Errc::unavailable},
            {"hard knows no grace", CrlPolicy::hard, 2h, 3601s, Errc::unavailable},
            {"soft, fresh", CrlPolicy::soft, 30min, 0s, std::nullopt},
            {"soft, within its grace", CrlPolicy::soft, 30min, 5399s, std::nullopt},
            {"soft, past its grace", CrlPolicy::soft, 30min, 5401s, Errc::unavailable},
            {"soft without grace", CrlPolicy::soft, 0s, 3601s, Errc::unavailable},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            test::FakeClock then = test::FakeClock{clock.wall_now()};
            then.pass(row.later);
            crypto::ChainVerifier verifier{then};
            const auto trust = pki.trust(row.policy, row.grace);
            const auto chain = verifier.verify(*trust, pki.good);
            CHECK(chain.has_value() == !row.want);
            if (!chain && row.want) CHECK(chain.error().code == *row.want);
            // What a CRL, however old, has revoked stays revoked.
            const auto revoked = verifier.verify(*trust, pki.revoked);
            REQUIRE_FALSE(revoked.has_value());
            if (!row.want) CHECK(revoked.error().code == Errc::revoked);
        }
    }

    TEST_CASE("S-43: no CRL of this issuer, where one is wanted") {
        const test::FakeClock clock;
        const Revoking pki{clock};
        const Revoking other{clock, "CN=Other"};
        crypto::ChainVerifier verifier{clock};
        const auto hard = verifier.verify(*pki.trust(CrlPolicy::hard, 0s, &other), pki.good);
        REQUIRE_FALSE(hard.has_value());
        CHECK(hard.error().code == Errc::unavailable);
        CHECK(hard.error().field == "CRL");
        CHECK(verifier.verify(*pki.trust(CrlPolicy::soft, 0s, &other), pki.good).has_value());
    }

    TEST_CASE("S-43: a verdict from a CRL does not outlive its nextUpdate") {
        test::FakeClock clock;
        const Revoking pki{clock};
        crypto::ChainVerifier verifier{clock};
        const auto trust = pki.trust(CrlPolicy::hard);
        clock.pass(3598s);
        REQUIRE(verifier.verify(*trust, pki.good).has_value());
        clock.pass(4s);  // far less than the five minutes a verdict is kept
        CHECK_FALSE(verifier.verify(*trust, pki.good).has_value());
    }
}
