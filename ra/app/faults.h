#pragma once

#include "ra/app/log.h"
#include "transports/common/task_group.h"

namespace ra::app {

/// Writes what ends a task of a worker into the log, which outlives it.
[[nodiscard]] transports::common::FaultLog fault_log(Log& log);

}  // namespace ra::app
