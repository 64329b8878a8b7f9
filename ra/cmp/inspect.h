#pragma once

#include <string>

#include "ra/cmp/message.h"

namespace ra::cmp {

/// A PKIMessage as a person wants to read it: one field a line, indented, names of the RFCs, with
/// hints (which field is missing, what is unusual). Never fails on what parsed; bodies that do not
/// parse are shown with field and offset of the fault. Control characters of texts are escaped.
[[nodiscard]] std::string inspect_text(const PKIMessage& message, const Limits& limits);
/// The same as one JSON object (stable names).
[[nodiscard]] std::string inspect_json(const PKIMessage& message, const Limits& limits);

}  // namespace ra::cmp
