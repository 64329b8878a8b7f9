#pragma once

#include <string>

#include "ra/exchange.h"
#include "ra/labca/authority.h"
#include "ra/labca/ledger.h"
#include "ra/labca/origin.h"
#include "ra/labca/transactions.h"

namespace ra::labca {

/// The embedded CA for demonstrations, tests and air-gapped labs: terminates CMP (RFC 9810, 9483)
/// for ir, cr, kur, p10cr, certConf, pollReq, rr, genm and a nested single.
///
/// Any thread may call any member: what changes is behind locks held for a lookup only (the chain
/// cache's also while it verifies a new path); nothing suspends and no lock is held while signing.
/// Its keys and what it issued are gone with it, unless the CA's came from files.
class LabCa final : public Exchange {
public:
    /// Throws std::runtime_error (files that cannot be loaded). `clock` and `random` outlive it;
    /// `random` is used by this object alone.
    LabCa(Settings settings, const Clock& clock, Random& random);

    asio::awaitable<Reply> exchange(Arrival arrival) override;

    /// The CA's own, self-signed unless loaded: the trust anchor.
    [[nodiscard]] const crypto::CertificatePtr& certificate() const noexcept {
        return authority_.certificate();
    }
    [[nodiscard]] std::string certificate_pem() const;
    /// Signs the answers: EKU cmcCA, issued by the CA.
    [[nodiscard]] const crypto::CertificatePtr& responder() const noexcept {
        return authority_.responder()->certificate;
    }

    /// For tests that sign wrong answers with the right key.
    [[nodiscard]] const crypto::CredentialPtr& responder_for_test() const noexcept {
        return authority_.responder();
    }

    /// A device with a certificate of this CA, as if its maker had put it there (IDevID): for
    /// demonstrations and tests. `extensions`: further Extension TLVs. Throws std::invalid_argument
    /// (name), std::runtime_error.
    [[nodiscard]] crypto::CredentialPtr issue_device_certificate(
        std::string_view subject, std::string_view key_kind = "ec:P-256", Bytes extensions = {});

    /// A CRL of now.
    [[nodiscard]] Result<Bytes> crl() const;
    [[nodiscard]] const Ledger& ledger() const noexcept { return ledger_; }
    [[nodiscard]] std::size_t open_transactions() const { return transactions_.size(); }

private:
    struct Said;
    class Claimed;

    [[nodiscard]] Bytes answer(const cmp::PKIMessage& message);
    [[nodiscard]] Checked<Said> handle(const cmp::PKIMessage& message, const Authentic& sender);
    [[nodiscard]] Checked<Said> on_cert_request(const cmp::PKIMessage& message,
                                                const Authentic& sender);
    [[nodiscard]] Checked<Said> on_cert_conf(const cmp::PKIMessage& message,
                                             const Authentic& sender);
    [[nodiscard]] Checked<Said> on_poll(const cmp::PKIMessage& message, const Authentic& sender);
    [[nodiscard]] Checked<Said> on_rr(const cmp::PKIMessage& message, const Authentic& sender);
    [[nodiscard]] Checked<Said> on_genm(const cmp::PKIMessage& message);
    [[nodiscard]] Checked<Bytes> unwrap(const cmp::PKIMessage& nested, const Authentic& sender);

    [[nodiscard]] Checked<void> may_update(const cmp::PKIMessage& message,
                                           const Authentic& sender) const;
    [[nodiscard]] Checked<void> revoke(const cmp::PKIMessage& message, const Authentic& sender);
    [[nodiscard]] Checked<Transaction> take(const cmp::PKIMessage& message,
                                            const Authentic& sender);
    [[nodiscard]] Checked<Said> deliver(const cmp::PKIMessage& message, Transaction transaction,
                                        const Wanted& wanted, Claimed& claimed);
    [[nodiscard]] Checked<Bytes> gen_value(const cmp::InfoTypeAndValue& asked) const;

    /// Empty: signing failed.
    [[nodiscard]] Bytes build(const cmp::PKIMessage& request, const Authentic* sender, Said said);
    [[nodiscard]] Bytes error(const cmp::PKIMessage& request, const Authentic* sender,
                              const Refused& refused);

    const Settings settings_;
    const Clock& clock_;
    Authority authority_;
    Origin origin_;
    Ledger ledger_;
    Transactions transactions_;
};

}  // namespace ra::labca
