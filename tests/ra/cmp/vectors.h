#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "ra/base/bytes.h"

namespace ra::cmp::test {

inline std::filesystem::path vector_folder() {
    return std::filesystem::path{CMPGATE_SOURCE_DIR} / "tests/vectors/cmp";
}

inline Bytes read_file(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

/// tests/vectors/cmp/<name>.der
inline Bytes vector_octets(const std::string& name) {
    return read_file(vector_folder() / (name + ".der"));
}

/// Every vector's name, sorted.
inline std::vector<std::string> vector_names() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator{vector_folder()}) {
        if (entry.path().extension() == ".der") names.push_back(entry.path().stem().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace ra::cmp::test
