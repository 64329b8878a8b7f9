#pragma once

#include "metrics/count.h"

namespace transports::common {

using metrics::Count;

}  // namespace transports::common
