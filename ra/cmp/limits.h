#pragma once

#include <cstddef>

namespace ra::cmp {

/// What a message may be (S-30). From configuration; these are the defaults.
struct Limits {
    std::size_t message_octets = 256 * 1024;
    unsigned depth = 16;  // of constructed elements
    unsigned extra_certs = 16;
    unsigned nested_messages = 100;  // in one nested body
    unsigned nesting_depth = 3;
    unsigned cert_req_msgs = 16;
    unsigned general_info = 32;  // InfoTypeAndValue in one header or genm
    std::size_t id_min = 16;     // transactionID and nonces, octets
    std::size_t id_max = 64;
    std::size_t kid_max = 256;  // senderKID, recipKID
    unsigned template_extensions = 64;
};

}  // namespace ra::cmp
