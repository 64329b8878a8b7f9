#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "ra/base/bytes.h"

namespace fixture {

/// A spool in a directory of its own, as peers see it.
class SpoolFolder {
public:
    SpoolFolder() {
        std::string name =
            (std::filesystem::temp_directory_path() / "cmpgate-spool-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        path_ = name;
    }
    SpoolFolder(const SpoolFolder&) = delete;
    SpoolFolder& operator=(const SpoolFolder&) = delete;
    ~SpoolFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::filesystem::path in(const std::string& name) const {
        return path_ / "in" / name;
    }
    [[nodiscard]] std::filesystem::path out(const std::string& name) const {
        return path_ / "out" / name;
    }
    [[nodiscard]] std::filesystem::path failed(const std::string& name) const {
        return path_ / "failed" / name;
    }
    static void write(const std::filesystem::path& file, const std::string& octets) {
        std::ofstream{file, std::ios::binary} << octets;
    }
    /// As a peer should: aside, then renamed.
    void drop(const std::string& name, const std::string& octets) const {
        write(in("." + name), octets);
        std::filesystem::rename(in("." + name), in(name));
    }
    static std::string read(const std::filesystem::path& file) {
        std::ifstream from{file, std::ios::binary};
        std::ostringstream text;
        text << from.rdbuf();
        return text.str();
    }
    [[nodiscard]] std::size_t count(const char* directory) const {
        std::size_t files = 0;
        for ([[maybe_unused]] const auto& one :
             std::filesystem::directory_iterator{path_ / directory})
            ++files;
        return files;
    }

private:
    std::filesystem::path path_;
};

/// A DER SEQUENCE around `text`.
inline std::string der(const std::string& text) {
    return std::string{'\x30', static_cast<char>(text.size())} + text;
}

}  // namespace fixture
