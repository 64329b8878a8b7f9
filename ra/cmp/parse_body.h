#pragma once

#include "ra/asn1/certificate.h"
#include "ra/cmp/body.h"
#include "ra/cmp/fields.h"

/// Parts that several body parsers share. For ra/cmp only.
namespace ra::cmp {

/// A reader of what stands in the one SEQUENCE `content` is; offsets count from the message.
[[nodiscard]] Result<asn1::DerReader> open_sequence(ByteView content, std::size_t offset,
                                                    std::string_view field);
[[nodiscard]] Result<std::vector<Extension>> parse_extensions(asn1::DerReader reader,
                                                              const Limits& limits,
                                                              asn1::Defaults defaults);
/// `reader`: the content of the CertTemplate `whole`.
[[nodiscard]] Result<CertTemplate> parse_cert_template(asn1::DerReader reader, ByteView whole,
                                                       const Limits& limits);
/// The next TLV as PKIStatusInfo.
[[nodiscard]] Result<PKIStatusInfo> read_status_info(asn1::DerReader& reader);

}  // namespace ra::cmp
