#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <variant>

#include "policy/decision.h"
#include "ra/base/result.h"

namespace ra::gateway {

/// The upstream side failed: no answer, or one that must not be believed.
struct UpstreamFault {
    std::string_view rule;            // "not-sent", "no-answer", "recip-nonce", …: metric label
    cmp::PKIFailureInfo fail_info{};  // what the EE is told
    std::string detail;               // log and audit only
    bool possibly_issued = false;     // octets may have left for a state-changing request (S-04)
};

/// Nothing was looked at, or the exchange cannot be served now.
struct Busy {
    std::string_view bound;
};

/// Why a message did not get its answer. `Error` is a message that does not parse.
using Failure = std::variant<Error, policy::Refuse, UpstreamFault, Busy>;

[[noreturn]] inline void throw_exception_from_error(const Failure&, const boost::source_location&) {
    throw std::logic_error("value() on a failed Outcome");
}

/// What a stage of the gateway returns.
template <class T>
using Outcome = boost::system::result<T, Failure>;

}  // namespace ra::gateway
