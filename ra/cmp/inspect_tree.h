#pragma once

#include <boost/json.hpp>

#include "ra/cmp/body.h"

/// inspect's tree: what both printers print. Keys are the names of the RFCs; all texts are escaped
/// and valid UTF-8. For ra/cmp/inspect*.cpp only.
namespace ra::cmp::tree {

using boost::json::array;
using boost::json::object;
using boost::json::value;

/// Lower-case hex.
[[nodiscard]] value hex(ByteView octets);
/// {"octets": how many, "hex": …}: for what is long and says little; the text form cuts it.
[[nodiscard]] object blob(ByteView octets);
[[nodiscard]] value text(std::string_view from_outside);
/// {"error", "field", "offset"}
[[nodiscard]] object fault(const Error& error);
/// Name TLV.
[[nodiscard]] value name(ByteView name_tlv);
/// GeneralName TLV; the NULL-DN is "NULL-DN".
[[nodiscard]] value general_name(ByteView general_name);
[[nodiscard]] value time(WallTime when);
/// INTEGER content: serial numbers.
[[nodiscard]] value serial(ByteView content);
/// Name of the algorithm; with parameters where they are a MAC's.
[[nodiscard]] value algorithm(const AlgorithmIdentifier& algorithm);
/// "ecPublicKey P-256", from a SubjectPublicKeyInfo TLV with either tag.
[[nodiscard]] value key_algorithm(ByteView spki);
/// One member an extension, by name: subjectAltName, keyUsage, extKeyUsage, … decoded.
[[nodiscard]] object extensions(const std::vector<Extension>& list);
/// Certificate TLV in five lines: subject, issuer, serial, validity, key.
[[nodiscard]] object certificate(ByteView der);
[[nodiscard]] object info(const InfoTypeAndValue& info);
[[nodiscard]] object status_info(const PKIStatusInfo& status);
[[nodiscard]] array texts(const std::vector<std::string_view>& list);

/// The body, decoded; a fault where it does not parse.
[[nodiscard]] value body(const PKIMessage& message, const Limits& limits);
/// The whole message.
[[nodiscard]] object message(const PKIMessage& message, const Limits& limits);
/// What is missing, unusual or not allowed, in words.
[[nodiscard]] array hints(const PKIMessage& message, const Limits& limits);

/// One field a line, two spaces a level.
[[nodiscard]] std::string print(const object& tree);

}  // namespace ra::cmp::tree
