#pragma once

#include "ra/app/config/config.h"

/// Parts of judge() that have a file of their own.
namespace ra::app::config {

/// S-16: whoever one profile refuses may choose the path of the other. One warning a profile,
/// however many others there are: the first few are named.
void judge_overlaps(const Config& config, Faults& faults);

/// Whom each credential is renewed by, whether its new certificate can be judged, and that nobody
/// else needs the key it replaces.
void judge_renewals(const Config& config, Faults& faults);

}  // namespace ra::app::config
