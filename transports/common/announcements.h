#pragma once

#include "ra/base/bytes.h"

namespace transports::common {

/// Where the announcements of a CA go (ckuann, cann, rann, crlann; RFC 9811 3.5, RFC 9482 2.6):
/// whoever received and admitted one publishes it to each.
struct Announcements {
    virtual ~Announcements() = default;
    /// `message`: one DER PKIMessage. From any thread; never blocks. Best effort: nobody is told
    /// whether somebody listened.
    virtual void publish(ra::Bytes message) = 0;
};

}  // namespace transports::common
