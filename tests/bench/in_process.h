#pragma once

#include <string>
#include <vector>

/// What is measured inside one process, by the CPU time of its threads.
namespace bench {

/// CPU time of the calling thread, in microseconds.
[[nodiscard]] double thread_cpu_us();

/// What the crypto of one checked enrolment costs libcrypto: ECDSA P-256 verification, and a key
/// made of its octets. Microseconds each.
struct CryptoCost {
    double verify = 0;
    double key = 0;
};
[[nodiscard]] CryptoCost crypto_cost();

/// Nanoseconds to parse a message (header, body and everything in them).
struct ParseCost {
    std::string name;
    std::size_t octets = 0;
    double nanoseconds = 0;
};
/// Of every .der in `folder`, in order of name. Throws std::runtime_error.
[[nodiscard]] std::vector<ParseCost> parse_costs(const std::string& folder);

/// CPU microseconds a message of the whole gateway without sockets: ir and ip checked (or opaque),
/// `threads` workers at the same time on one store, each with `messages` enrolments of its own.
[[nodiscard]] double gateway_cost(const std::string& pki_folder, bool opaque, unsigned threads,
                                  unsigned messages);

}  // namespace bench
