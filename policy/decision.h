#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <variant>

#include "ra/cmp/types.h"

namespace policy {

using ra::cmp::BodyType;
using ra::cmp::PKIFailureInfo;

/// Why a message is not let through.
struct Refuse {
    std::string_view rule;  // name in the configuration and documents, metric label; static storage
    PKIFailureInfo fail_info;  // what the EE is told (RFC 9810 5.2.3)
    std::string detail;        // log and audit only
    bool in_body = false;  // fault of the request's body: answered by the specific response
};
[[noreturn]] void throw_exception_from_error(const Refuse&, const boost::source_location&);

struct Permit {};
using Decision = std::variant<Permit, Refuse>;

/// A later stage's type, or why it was not reached.
template <class T>
using Judged = boost::system::result<T, Refuse>;

}  // namespace policy
