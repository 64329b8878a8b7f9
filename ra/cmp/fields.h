#pragma once

#include "ra/cmp/message.h"

/// Readers of what several structures of CMP and CRMF have in common. Each reads the next element
/// of `reader` and borrows its octets; errors name `field` and the offset.
namespace ra::cmp {

/// Algorithm identifiers and names are checked to be DER down to this depth (below themselves):
/// PBMAC1 parameters need 5, a Name 3.
inline constexpr unsigned kParameterDepth = 12;

/// AlgorithmIdentifier, universal.
[[nodiscard]] Result<AlgorithmIdentifier> read_algorithm(asn1::DerReader& reader,
                                                         std::string_view field);
/// The fields of one that stands IMPLICIT in `tlv`; `whole` is that TLV.
[[nodiscard]] Result<AlgorithmIdentifier> algorithm_of(const asn1::DerReader& parent,
                                                       const asn1::Tlv& tlv,
                                                       std::string_view field);

/// The TLV of a Name (RFC 5280 4.1.2.4).
[[nodiscard]] Result<ByteView> read_name(asn1::DerReader& reader, std::string_view field);
/// The TLV of a GeneralName (RFC 5280 4.2.1.6).
[[nodiscard]] Result<ByteView> read_general_name(asn1::DerReader& reader, std::string_view field);

/// What stands in an EXPLICIT [n], whole: exactly one TLV with this tag.
[[nodiscard]] Result<asn1::Tlv> read_inside(const asn1::DerReader& parent, ByteView tagged,
                                            asn1::Tag want, std::string_view field);

/// Content of a PKIFreeText, each text checked to be UTF-8, at least one.
[[nodiscard]] Result<ByteView> read_free_text(asn1::DerReader& reader, std::string_view field);
/// The texts of checked PKIFreeText content.
[[nodiscard]] std::vector<std::string_view> free_texts(ByteView content);

/// The next InfoTypeAndValue of a list; values we know are checked, the rest is one opaque TLV.
[[nodiscard]] Result<InfoTypeAndValue> read_info(asn1::DerReader& list,
                                                 std::string_view field = "InfoTypeAndValue");
/// The rest of `reader` as one PKIMessage; offsets count from where `reader` stands in the whole.
[[nodiscard]] Result<PKIMessage> read_pki_message(asn1::DerReader reader, const Limits& limits);

/// Checks `content`: at least `least`, at most `limit` InfoTypeAndValue, each infoType once.
[[nodiscard]] Result<void> check_infos(const asn1::DerReader& parent, ByteView content,
                                       unsigned least, unsigned limit, std::string_view field);

}  // namespace ra::cmp
