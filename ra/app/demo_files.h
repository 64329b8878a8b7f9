#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "ra/app/lab_ca.h"

namespace ra::app {

/// A directory of our own under the system's temporary one, readable by nobody else; gone with this
/// object, with what is in it.
class TemporaryDirectory {
public:
    TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() { remove(); }

    [[nodiscard]] std::filesystem::path path() const { return path_; }
    void remove() noexcept;

private:
    std::filesystem::path path_;
};

/// What the demonstration stands on, written to a directory: cmpgate.toml and what it names; for
/// the device its factory certificate (device.pem, device.key), keys to enrol (new.key, next.key)
/// and the trust anchor of the CA (ca.pem).
struct DemoWorld {
    DemoWorld(const std::filesystem::path& directory, std::uint16_t port);

    LabCaHost maker;     // of the devices: signs their factory certificates
    std::string secret;  // of device-2
    LabCaHost lab_ca;    // that the gateway stands in front of
    std::string config;  // text of cmpgate.toml
};

}  // namespace ra::app
