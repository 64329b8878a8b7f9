#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ra/base/time.h"

namespace ra::app {

/// "0.1.0".
[[nodiscard]] std::string_view version() noexcept;
/// What `git describe` said of the source when it was built; "unknown" without git.
[[nodiscard]] std::string_view commit() noexcept;
/// When this program's source was committed: a clock that shows less is wrong (S-43).
[[nodiscard]] WallTime source_time() noexcept;

/// What this program is and runs with.
struct VersionFacts {
    std::string compiler;
    struct Library {
        std::string name, version;  // the one loaded now where the library can tell
    };
    std::vector<Library> libraries;
    std::vector<std::string> signatures;  // algorithms libcrypto offers here, of those CMP can use
    std::vector<std::string> curves;
    std::vector<std::string> kems;
    std::vector<std::string> digests;
};
[[nodiscard]] VersionFacts version_facts();

}  // namespace ra::app
