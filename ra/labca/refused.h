#pragma once

#include <boost/system/result.hpp>
#include <string_view>

#include "ra/cmp/types.h"

namespace ra::labca {

/// Why a request is not granted, as the requester is told.
struct Refused {
    cmp::PKIFailureInfo info{};
    std::string_view text;  // a literal
};

/// Never thrown on the message path: for a value() nobody checked.
[[noreturn]] void throw_exception_from_error(const Refused& refused, const boost::source_location&);

template <class T>
using Checked = boost::system::result<T, Refused>;

}  // namespace ra::labca
