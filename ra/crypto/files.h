#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ra/base/bytes.h"

namespace ra::crypto {

/// The objects in a file: every PEM block labelled `label` (also "TRUSTED " and "X509 " forms), or
/// the whole file if it is DER. Files over 16 MiB are refused. Throws std::runtime_error naming
/// file and fault; an empty result is one.
[[nodiscard]] std::vector<Bytes> load_objects(const std::string& path, std::string_view label);

/// The octets of a file. Throws std::runtime_error.
[[nodiscard]] Bytes load_file(const std::string& path);

/// One PEM block (RFC 7468).
[[nodiscard]] std::string pem_text(std::string_view label, ByteView der);

}  // namespace ra::crypto
