#include "policy/decision.h"

#include <stdexcept>

namespace policy {

void throw_exception_from_error(const Refuse&, const boost::source_location&) {
    throw std::logic_error("value() of a stage that refused");
}

}  // namespace policy
