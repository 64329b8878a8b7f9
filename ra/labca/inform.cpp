#include "ra/asn1/der_writer.h"
#include "ra/cmp/oids.h"
#include "ra/labca/said.h"

/// rr and genm: one message, one answer.
namespace ra::labca {

using asn1::context;
using asn1::DerReader;
using asn1::DerWriter;
using asn1::Tag;
using cmp::PKIFailureInfo;

namespace {

constexpr std::int64_t kMostReason = 10;
constexpr std::int64_t kReasonNotUsed = 7;  // RFC 5280 5.3.1
constexpr std::int64_t kRemoveFromCrl = 8;  // only in delta CRLs

Bytes sequence_of(ByteView content) {
    DerWriter writer;
    writer.tlv(Tag::sequence, content);
    return std::move(writer).take();
}

/// CRLStatus ::= SEQUENCE { source CRLSource, thisUpdate Time OPTIONAL }
/// CRLSource ::= CHOICE { dpn [0] DistributionPointName, issuer [1] GeneralNames }
/// The list has exactly one; there is one CRL, so that the source does not matter.
Result<std::optional<WallTime>> this_update(ByteView value) {
    DerReader outer{value};
    RA_TRY(const ByteView list, outer.read(Tag::sequence, "crlStatusList"));
    DerReader items{list};
    RA_TRY(const ByteView status, items.read(Tag::sequence, "CRLStatus"));
    RA_TRY_VOID(items.expect_end("crlStatusList"));
    DerReader reader{status};
    RA_TRY(const asn1::Tlv source, reader.read_any("source"));
    if (source.tag != context(0) && source.tag != context(1)) return fail(Errc::bad_tag, "source");
    if (reader.at_end()) return std::optional<WallTime>{};
    RA_TRY(const asn1::Tlv time, reader.read_any("thisUpdate"));
    RA_TRY(const WallTime when, asn1::parse_time(time, "thisUpdate"));
    RA_TRY_VOID(reader.expect_end("CRLStatus"));
    return std::optional<WallTime>{when};
}

}  // namespace

Checked<void> LabCa::revoke(const cmp::PKIMessage& message, const Authentic& sender) {
    const auto details = cmp::parse_rev_req(message.content, 0, settings_.limits);
    if (!details || details->size() != 1)
        return Refused{PKIFailureInfo::badDataFormat, "one RevDetails wanted"};
    const cmp::CertTemplate& asked = details->front().cert_details;
    if (!asked.issuer || !asked.serial_number)
        return Refused{PKIFailureInfo::badDataFormat, "issuer and serialNumber wanted"};
    if (!equal(*asked.issuer, certificate()->subject()))
        return Refused{PKIFailureInfo::badCertId, "issued by another CA"};
    const auto reason = details->front().reason.value_or(0);
    if (reason < 0 || reason > kMostReason || reason == kReasonNotUsed || reason == kRemoveFromCrl)
        return Refused{PKIFailureInfo::badRequest, "reasonCode"};
    const crypto::CertificatePtr& signer = sender.requester.certificate;
    const bool own = signer != nullptr && equal(signer->view().issuer, *asked.issuer) &&
                     equal(signer->view().serial, *asked.serial_number);
    if (!own && !sender.requester.is_ra)
        return Refused{PKIFailureInfo::notAuthorized, "only the own certificate"};
    switch (ledger_.revoke(*asked.serial_number, clock_.wall_now(), static_cast<int>(reason))) {
        case Ledger::Status::good:
            return {};
        case Ledger::Status::revoked:
            return Refused{PKIFailureInfo::certRevoked, "revoked before"};
        case Ledger::Status::unknown:
            break;
    }
    return Refused{PKIFailureInfo::badCertId, "no such certificate"};
}

Checked<LabCa::Said> LabCa::on_rr(const cmp::PKIMessage& message, const Authentic& sender) {
    const auto revoked = revoke(message, sender);
    const Bytes status = revoked
                             ? cmp::build_status_info(cmp::PKIStatus::accepted, std::nullopt, {})
                             : rejection(revoked.error());
    return Said{cmp::build_rev_rep_body(status), authority_.random_octets(kNonceOctets), false,
                std::nullopt};
}

/// The genp value; empty: absent.
Checked<Bytes> LabCa::gen_value(const cmp::InfoTypeAndValue& asked) const {
    const auto latest = [this]() -> Checked<Bytes> {
        auto der = crl();
        if (!der) return Refused{PKIFailureInfo::systemFailure, "CRL"};
        return std::move(*der);
    };
    if (cmp::oid::kCaCerts == asked.type) return sequence_of(certificate()->der());
    if (cmp::oid::kCurrentCrl == asked.type) return latest();
    if (cmp::oid::kCrlStatusList == asked.type) {
        const auto since = this_update(asked.value);
        if (!since) return Refused{PKIFailureInfo::badDataFormat, "crlStatusList"};
        if (*since && **since >= clock_.wall_now()) return Bytes{};
        RA_TRY(const Bytes der, latest());
        return sequence_of(der);
    }
    // No update of the root is under way, nothing is required of a template.
    if (cmp::oid::kRootCaCert == asked.type || cmp::oid::kCertReqTemplate == asked.type)
        return Bytes{};
    return Refused{PKIFailureInfo::badRequest, "infoType not answered here"};
}

Checked<LabCa::Said> LabCa::on_genm(const cmp::PKIMessage& message) {
    const auto infos = cmp::parse_gen_msg(message.content, 0, settings_.limits);
    if (!infos || infos->size() != 1)
        return Refused{PKIFailureInfo::badDataFormat, "one InfoTypeAndValue wanted"};
    const cmp::InfoTypeAndValue& asked = infos->front();
    RA_TRY(const Bytes value, gen_value(asked));
    // Two questions are answered under another name (RFC 9483 4.3.2, 4.3.4).
    const ByteView type = cmp::oid::kRootCaCert == asked.type ? cmp::oid::kRootCaKeyUpdate.view()
                          : cmp::oid::kCrlStatusList == asked.type ? cmp::oid::kCrls.view()
                                                                   : asked.type;
    return Said{cmp::build_genp_body(type, value), authority_.random_octets(kNonceOctets), false,
                std::nullopt};
}

}  // namespace ra::labca
