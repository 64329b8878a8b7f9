#pragma once

#include <string>
#include <vector>

#include "ra/base/bytes.h"

namespace ra::app {

/// The messages in a file ("-": standard input): DER, several of them one after another, PEM or
/// base64. Throws std::runtime_error: it cannot be read, is larger than 64 times `most_octets`, or
/// holds nothing that could be a message.
[[nodiscard]] std::vector<Bytes> read_message_file(const std::string& path,
                                                   std::size_t most_octets);

}  // namespace ra::app
