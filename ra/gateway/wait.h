#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>

#include "ra/base/time.h"

namespace ra::gateway {

/// Suspends until `notify` (handed to `arm`, callable once from any thread) is called or `deadline`
/// passes; true: notified. `arm` returns false when there is nothing to wait for (then true at
/// once). `disarm` runs on this executor if the deadline came first.
boost::asio::awaitable<bool> wait_for(Timers& timers, Deadline deadline,
                                      std::function<bool(std::function<void()> notify)> arm,
                                      std::function<void()> disarm);

}  // namespace ra::gateway
