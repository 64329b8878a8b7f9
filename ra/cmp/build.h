#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ra/asn1/der_writer.h"
#include "ra/cmp/body.h"

/// What the gateway and the lab CA say themselves. All functions allocate and return DER.
namespace ra::cmp {

/// PKIHeader to be written. Views are borrowed until build_header() returns.
struct HeaderFields {
    std::uint8_t pvno = 2;
    ByteView sender;       // GeneralName TLV; empty: NULL-DN
    ByteView sender_name;  // Name TLV of a directoryName, instead of `sender`; empty: `sender`
    ByteView recipient;    // GeneralName TLV; empty: NULL-DN
    std::optional<WallTime> message_time;
    ByteView protection_alg;  // AlgorithmIdentifier TLV; empty: absent
    ByteView sender_kid;      // each empty: absent
    ByteView recip_kid;
    ByteView transaction_id;
    ByteView sender_nonce;
    ByteView recip_nonce;
    ByteView free_text;  // content of PKIFreeText; empty: absent
    bool implicit_confirm = false;
    std::optional<WallTime> confirm_wait_time;
    ByteView extra_general_info;  // further InfoTypeAndValue TLVs; empty: none
};
[[nodiscard]] Bytes build_header(const HeaderFields& fields);
/// The same, at the end of what `writer` has.
void write_header(asn1::DerWriter& writer, const HeaderFields& fields);

/// directoryName [4] around a Name TLV.
[[nodiscard]] Bytes general_name(ByteView name);

/// PKIStatusInfo; `text` empty: no statusString.
[[nodiscard]] Bytes build_status_info(PKIStatus status, std::optional<PKIFailureInfo> info,
                                      std::string_view text);

/// The body TLVs (tag A0|n included).
[[nodiscard]] Bytes build_error_body(ByteView status_info);
/// ip, cp, kup with one CertResponse without certificate.
[[nodiscard]] Bytes build_cert_rep_body(BodyType type, std::int64_t cert_req_id,
                                        ByteView status_info);
/// ... with a certificate. `ca_pubs`: Certificate TLVs one after another; empty: absent.
[[nodiscard]] Bytes build_cert_rep_body(BodyType type, std::int64_t cert_req_id,
                                        ByteView status_info, ByteView certificate,
                                        ByteView ca_pubs);
[[nodiscard]] Bytes build_rev_rep_body(ByteView status_info);
[[nodiscard]] Bytes build_pkiconf_body();
[[nodiscard]] Bytes build_poll_rep_body(std::int64_t cert_req_id, std::int64_t check_after);
[[nodiscard]] Bytes build_genp_body(ByteView info_type, ByteView info_value);

/// The DER of ProtectedPart: 30 len header body (5.1.3).
[[nodiscard]] Bytes build_protected_part(ByteView header, ByteView body);
/// PKIMessage of its parts. `protection`: octets of the BIT STRING, empty: absent. `extra_certs`:
/// Certificate TLVs one after another, empty: absent.
[[nodiscard]] Bytes build_pki_message(ByteView header, ByteView body, ByteView protection,
                                      ByteView extra_certs);

/// For tests, benches and the gateway as an EE: CertReqMessages, certConf, rr, genm, pollReq
/// bodies. `popo`: ProofOfPossession TLV.
[[nodiscard]] Bytes build_cert_request(std::int64_t cert_req_id, ByteView cert_template,
                                       ByteView controls = {});
[[nodiscard]] Bytes build_cert_req_body(BodyType type, ByteView cert_request, ByteView popo);
/// ProofOfPossession, signature [1]: POPOSigningKey without poposkInput (RFC 4211 4.1).
/// `algorithm`: AlgorithmIdentifier TLV; `signature`: over the CertRequest TLV.
[[nodiscard]] Bytes build_signature_popo(ByteView algorithm, ByteView signature);
/// Controls content with oldCertID (RFC 4211 6.5). `issuer`: Name TLV; `serial`: INTEGER content.
[[nodiscard]] Bytes build_old_cert_id(ByteView issuer, ByteView serial);
[[nodiscard]] Bytes build_cert_template(ByteView subject_name, ByteView spki,
                                        ByteView extensions = {});
[[nodiscard]] Bytes build_cert_conf_body(ByteView cert_hash, std::int64_t cert_req_id,
                                         ByteView status_info = {});
[[nodiscard]] Bytes build_rev_req_body(ByteView issuer_name, ByteView serial, int reason);
[[nodiscard]] Bytes build_genm_body(ByteView info_type, ByteView info_value = {});
[[nodiscard]] Bytes build_poll_req_body(std::int64_t cert_req_id);

}  // namespace ra::cmp
