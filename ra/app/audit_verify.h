#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "ra/base/bytes.h"
#include "ra/crypto/certificate.h"

namespace ra::app {

/// A checkpoint that stands elsewhere than in the trail: in the log.
struct Checkpoint {
    std::string node, boot;
    std::uint64_t number = 0;
    std::string mac, signature;
};

/// Those in a log, text or JSON, whatever else is in it.
[[nodiscard]] std::vector<Checkpoint> checkpoints_in(std::istream& log);

struct VerifyWith {
    ByteView key;
    // Whose keys may have signed checkpoints; none: signatures are not looked at.
    std::vector<crypto::CertificatePtr> signers;
    std::vector<Checkpoint> checkpoints;  // from elsewhere
};

/// What could be found out about a trail.
struct Verdict {
    std::uint64_t lines = 0;
    std::uint64_t boots = 0;
    std::vector<std::string> faults;    // "line 17: …"
    std::vector<std::string> warnings;  // half a line, no begin
    /// Up to where it is vouched for: the last good line that a checkpoint (here or elsewhere)
    /// covers.
    std::string vouched;
};
[[nodiscard]] Verdict verify_trail(std::istream& trail, const VerifyWith& with);

}  // namespace ra::app
