#pragma once

#include <string>

#include "ra/app/config/values.h"

namespace ra::app::config {

/// A Source as a path that the loaders of ra/crypto can read. Content that has no file of its own
/// (env:) stands in memory and is gone with this object.
class Material {
public:
    /// `directory`: where relative paths begin. Throws std::runtime_error: the variable or the
    /// credentials directory is not set.
    Material(const Source& source, const std::string& directory);
    Material(const Material&) = delete;
    Material& operator=(const Material&) = delete;
    ~Material();

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    /// The octets themselves, without a final line break (passphrases). Throws std::runtime_error.
    [[nodiscard]] std::string read() const;

    /// Whether others than owner and group may read it: a key should not be (S-24).
    [[nodiscard]] bool exposed() const noexcept;

private:
    std::string path_;
    int memory_ = -1;
};

}  // namespace ra::app::config
