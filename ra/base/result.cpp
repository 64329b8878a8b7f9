#include "ra/base/result.h"

#include <stdexcept>
#include <string>

namespace ra {

std::string_view to_string(Errc code) noexcept {
    switch (code) {
        case Errc::truncated:
            return "truncated";
        case Errc::bad_tag:
            return "bad_tag";
        case Errc::bad_length:
            return "bad_length";
        case Errc::trailing_data:
            return "trailing_data";
        case Errc::bad_value:
            return "bad_value";
        case Errc::missing:
            return "missing";
        case Errc::duplicate:
            return "duplicate";
        case Errc::too_large:
            return "too_large";
        case Errc::too_many:
            return "too_many";
        case Errc::too_deep:
            return "too_deep";
        case Errc::unsupported:
            return "unsupported";
        case Errc::bad_signature:
            return "bad_signature";
        case Errc::not_trusted:
            return "not_trusted";
        case Errc::revoked:
            return "revoked";
        case Errc::expired:
            return "expired";
        case Errc::not_permitted:
            return "not_permitted";
        case Errc::unavailable:
            return "unavailable";
    }
    return "unknown";
}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
    throw std::logic_error("value() on an error: " + std::string(to_string(error.code)) + " in " +
                           std::string(error.field));
}

}  // namespace ra
