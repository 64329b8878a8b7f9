#pragma once

#include <vector>

#include "ra/base/bytes.h"
#include "ra/base/result.h"

namespace ra::cmp {

/// The messages in a file as people have them: DER, several DER messages one after another (a
/// capture), PEM of any label (one or more blocks), or base64 with or without line breaks. Only
/// takes the file apart: what comes back begins with a SEQUENCE of the right length and need not be
/// CMP. Errors: missing (an empty file); bad_value (none of these forms, or base64 that is none);
/// truncated, bad_tag, bad_length with the offset in the file (DER) or in what was decoded.
[[nodiscard]] Result<std::vector<Bytes>> read_messages(const Bytes& file);

}  // namespace ra::cmp
