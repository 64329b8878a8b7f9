#include "ra/cmp/fields.h"
#include "ra/cmp/oids.h"
#include "ra/crypto/digest.h"
#include "ra/labca/said.h"

/// ir, cr, kur, p10cr and what follows them: certConf, pollReq.
namespace ra::labca {

using asn1::DerReader;
using asn1::Tag;
using cmp::BodyType;
using cmp::PKIFailureInfo;
using cmp::PKIStatus;

namespace {

constexpr int kCessationOfOperation = 5;  // RFC 5280 5.3.1

BodyType answer_type(BodyType request) noexcept {
    return request == BodyType::ir    ? BodyType::ip
           : request == BodyType::kur ? BodyType::kup
                                      : BodyType::cp;
}

/// Does the oldCertID control, if there is one, name this certificate?
/// CertId ::= SEQUENCE { issuer GeneralName, serialNumber INTEGER }
bool old_cert_id_fits(const cmp::PKIMessage& kur, const asn1::CertificateView& certificate,
                      const cmp::Limits& limits) {
    const auto requests = cmp::parse_cert_req_messages(kur.content, 0, limits);
    if (!requests || requests->empty()) return true;  // judged as what it is later
    for (const cmp::AttributeTypeAndValue& control : requests->front().controls) {
        if (!(cmp::oid::kOldCertId == control.type)) continue;
        DerReader outer{control.value};
        const auto content = outer.read(Tag::sequence, "oldCertID");
        if (!content) return false;
        DerReader reader{*content};
        const auto issuer = cmp::read_general_name(reader, "issuer");
        const auto serial = reader.read_big_integer("serialNumber");
        if (!issuer || !serial || !equal(*serial, certificate.serial)) return false;
        const auto name = cmp::directory_name(*issuer);
        if (!name || !equal(*name, certificate.issuer)) return false;
    }
    return true;
}

}  // namespace

Checked<void> LabCa::may_update(const cmp::PKIMessage& message, const Authentic& sender) const {
    const crypto::CertificatePtr& old = sender.requester.certificate;
    if (old == nullptr)
        return Refused{PKIFailureInfo::notAuthorized, "kur by the certificate it updates"};
    if (!equal(old->view().issuer, certificate()->subject()) ||
        ledger_.status(old->view().serial) != Ledger::Status::good ||
        !old_cert_id_fits(message, old->view(), settings_.limits)) {
        return Refused{PKIFailureInfo::badCertId, "not a certificate of this CA"};
    }
    return {};
}

Checked<LabCa::Said> LabCa::on_cert_request(const cmp::PKIMessage& message,
                                            const Authentic& sender) {
    const BootTime now = clock_.boot_now();
    const auto polling = settings_.check_after * (settings_.poll_count + 1);
    const auto claim = transactions_.begin(*message.header.transaction_id,
                                           now + settings_.confirm_wait + polling, now);
    if (claim == Transactions::Claim::in_use)
        return Refused{PKIFailureInfo::transactionIdInUse, "transactionID is in use"};
    if (claim == Transactions::Claim::full)
        return Refused{PKIFailureInfo::systemUnavail, "too many open transactions"};
    Claimed claimed{transactions_, *message.header.transaction_id};

    const auto refused = [&](const Refused& why) {
        const std::int64_t id = message.type == BodyType::p10cr ? -1 : 0;
        return Said{cmp::build_cert_rep_body(answer_type(message.type), id, rejection(why)),
                    authority_.random_octets(kNonceOctets), false, std::nullopt};
    };
    if (message.type == BodyType::kur) {
        if (const auto may = may_update(message, sender); !may) return refused(may.error());
    }
    auto wanted = judge(message, sender.requester, settings_.limits);
    if (!wanted) return refused(wanted.error());

    Transaction transaction;
    transaction.principal = sender.principal;
    transaction.signer = sender.requester.certificate;
    transaction.cert_req_id = wanted->cert_req_id;
    transaction.implicit_confirm =
        settings_.grant_implicit_confirm && message.header.implicit_confirm();
    if (settings_.poll_count == 0) {
        auto said = deliver(message, std::move(transaction), *wanted, claimed);
        if (!said) return refused(said.error());
        return said;
    }
    Said said;
    said.nonce = authority_.random_octets(kNonceOctets);
    said.body =
        cmp::build_cert_rep_body(wanted->answer, wanted->cert_req_id,
                                 cmp::build_status_info(PKIStatus::waiting, std::nullopt, {}));
    transaction.our_nonce = said.nonce;
    transaction.polls_left = settings_.poll_count;
    transaction.delayed = std::move(*wanted);
    claimed.goes_on(std::move(transaction));
    return said;
}

Checked<LabCa::Said> LabCa::deliver(const cmp::PKIMessage& message, Transaction transaction,
                                    const Wanted& wanted, Claimed& claimed) {
    RA_TRY(Authority::Granted granted, authority_.issue(wanted));
    if (!ledger_.add({std::move(granted.serial), transaction.principal,
                      to_bytes(*message.header.transaction_id), false})) {
        return Refused{PKIFailureInfo::systemUnavail, "this lab CA has issued all it may"};
    }
    const bool ca_pubs = settings_.send_ca_pubs && wanted.answer == BodyType::ip;
    const PKIStatus status = granted.with_mods ? PKIStatus::grantedWithMods : PKIStatus::accepted;
    Said said;
    said.nonce = authority_.random_octets(kNonceOctets);
    said.body = cmp::build_cert_rep_body(
        wanted.answer, wanted.cert_req_id, cmp::build_status_info(status, std::nullopt, {}),
        granted.certificate, ca_pubs ? certificate()->der() : ByteView{});
    said.implicit_confirm = transaction.implicit_confirm;
    if (transaction.implicit_confirm) return said;
    said.confirm_wait_time = clock_.wall_now() + settings_.confirm_wait;
    transaction.our_nonce = said.nonce;
    transaction.delayed.reset();
    transaction.certificate = std::move(granted.certificate);
    claimed.goes_on(std::move(transaction));
    return said;
}

Checked<Transaction> LabCa::take(const cmp::PKIMessage& message, const Authentic& sender) {
    const ByteView id = *message.header.transaction_id;
    Transaction taken;
    switch (transactions_.take(id, sender.principal, *message.header.recip_nonce, taken)) {
        case Transactions::Taken::taken:
            return taken;
        case Transactions::Taken::gone:
            break;
        case Transactions::Taken::foreign:
            return Refused{PKIFailureInfo::transactionIdInUse, "another sender's transaction"};
        case Transactions::Taken::wrong_nonce:
            return Refused{PKIFailureInfo::badRecipientNonce, "recipNonce"};
    }
    return Refused{PKIFailureInfo::badRequest, "no such transaction"};
}

Checked<LabCa::Said> LabCa::on_cert_conf(const cmp::PKIMessage& message, const Authentic& sender) {
    RA_TRY(const Transaction transaction, take(message, sender));
    const Claimed claimed{transactions_, *message.header.transaction_id};
    if (transaction.certificate.empty())
        return Refused{PKIFailureInfo::badRequest, "certConf while polling"};
    const auto issued = asn1::parse_certificate(transaction.certificate);
    if (!issued) return Refused{PKIFailureInfo::systemFailure, "certificate kept"};
    const auto revoke = [&] {
        ledger_.revoke(issued->serial, clock_.wall_now(), kCessationOfOperation);
    };
    const auto statuses = cmp::parse_cert_conf(message.content, 0, settings_.limits);
    if (!statuses || statuses->size() > 1) {
        revoke();
        return Refused{PKIFailureInfo::badDataFormat, "certConf"};
    }
    // An omitted CertStatus rejects (RFC 9810 5.3.18).
    const bool accepted =
        !statuses->empty() && (!statuses->front().status_info ||
                               statuses->front().status_info->status != PKIStatus::rejection);
    if (!accepted) {
        revoke();
    } else {
        const cmp::CertStatus& status = statuses->front();
        const auto hash = crypto::cert_hash(transaction.certificate, status.hash_alg);
        // 0 after p10cr is what RFC 9483 4.1.4 writes, -1 what RFC 9810 5.3.4 implies.
        const bool id_fits = status.cert_req_id == transaction.cert_req_id ||
                             (transaction.cert_req_id == -1 && status.cert_req_id == 0);
        if (!hash || !id_fits || !equal(*hash, status.cert_hash)) {
            revoke();
            return Refused{PKIFailureInfo::badCertId, "certHash or certReqId"};
        }
    }
    return Said{cmp::build_pkiconf_body(), authority_.random_octets(kNonceOctets), false,
                std::nullopt};
}

Checked<LabCa::Said> LabCa::on_poll(const cmp::PKIMessage& message, const Authentic& sender) {
    RA_TRY(Transaction transaction, take(message, sender));
    Claimed claimed{transactions_, *message.header.transaction_id};
    const auto ids = cmp::parse_poll_req(message.content, 0, settings_.limits);
    if (!ids || ids->size() != 1) return Refused{PKIFailureInfo::badDataFormat, "pollReq"};
    const std::int64_t id = ids->front();
    if (!transaction.delayed || (id != transaction.cert_req_id && id != 0 && id != -1))
        return Refused{PKIFailureInfo::badRequest, "nothing to poll for"};
    if (transaction.polls_left == 0) {
        const Wanted wanted = std::move(*transaction.delayed);
        auto said = deliver(message, std::move(transaction), wanted, claimed);
        if (said) return said;
        return Said{
            cmp::build_cert_rep_body(wanted.answer, wanted.cert_req_id, rejection(said.error())),
            authority_.random_octets(kNonceOctets), false, std::nullopt};
    }
    --transaction.polls_left;
    Said said{cmp::build_poll_rep_body(id, settings_.check_after.count()),
              authority_.random_octets(kNonceOctets), false, std::nullopt};
    transaction.our_nonce = said.nonce;
    claimed.goes_on(std::move(transaction));
    return said;
}

}  // namespace ra::labca
