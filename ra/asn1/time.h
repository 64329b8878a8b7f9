#pragma once

#include <string>

#include "ra/asn1/der_reader.h"
#include "ra/base/time.h"

namespace ra::asn1 {

/// Content of a GeneralizedTime in the RFC 5280 4.1.2.5.2 form, YYYYMMDDHHMMSSZ. Error: bad_value.
[[nodiscard]] Result<WallTime> parse_generalized_time(ByteView content, std::string_view field);
/// Content of a UTCTime, YYMMDDHHMMSSZ, 1950..2049 (RFC 5280 4.1.2.5.1). Error: bad_value.
[[nodiscard]] Result<WallTime> parse_utc_time(ByteView content, std::string_view field);
/// Time ::= CHOICE { utcTime, generalTime }, whichever tag `tlv` has. Error: bad_tag, bad_value.
[[nodiscard]] Result<WallTime> parse_time(const Tlv& tlv, std::string_view field);

/// "YYYYMMDDHHMMSSZ".
[[nodiscard]] std::string generalized_time(WallTime time);
/// For people: "2026-03-01 12:00:00Z".
[[nodiscard]] std::string readable_time(WallTime time);

}  // namespace ra::asn1
