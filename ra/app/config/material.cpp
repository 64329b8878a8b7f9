#include "ra/app/config/material.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace ra::app::config {
namespace {

/// The octets of a variable as an anonymous file: never on a disk.
int in_memory(const std::string& name, std::string_view content) {
    const int file = ::memfd_create("cmpgate", MFD_CLOEXEC);
    if (file < 0) throw std::system_error(errno, std::generic_category(), "memfd_create");
    while (!content.empty()) {
        const ssize_t written = ::write(file, content.data(), content.size());
        if (written <= 0) {
            ::close(file);
            throw std::runtime_error("env:" + name + " cannot be kept in memory");
        }
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    return file;
}

}  // namespace

Material::Material(const Source& source, const std::string& directory) {
    switch (source.kind) {
        case Source::Kind::file:
            path_ = (std::filesystem::path(directory) / source.name).string();
            return;
        case Source::Kind::env: {
            const char* content = std::getenv(source.name.c_str());
            if (content == nullptr)
                throw std::runtime_error("the environment has no variable " + source.name);
            memory_ = in_memory(source.name, content);
            path_ = "/proc/self/fd/" + std::to_string(memory_);
            return;
        }
        case Source::Kind::credential: {
            const char* credentials = std::getenv("CREDENTIALS_DIRECTORY");
            if (credentials == nullptr) {
                throw std::runtime_error(
                    "there is no $CREDENTIALS_DIRECTORY; systemd sets it for LoadCredential=" +
                    source.name + ":…");
            }
            path_ = (std::filesystem::path(credentials) / source.name).string();
            return;
        }
        case Source::Kind::pkcs11:
            throw std::logic_error("a key in a token is no file");
    }
}

Material::~Material() {
    if (memory_ >= 0) ::close(memory_);
}

std::string Material::read() const {
    std::ifstream file{path_, std::ios::binary};
    if (!file) throw std::runtime_error(path_ + ": " + std::generic_category().message(errno));
    std::string text{std::istreambuf_iterator<char>{file}, {}};
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text;
}

bool Material::exposed() const noexcept {
    struct stat facts{};
    return memory_ < 0 && ::stat(path_.c_str(), &facts) == 0 &&
           (facts.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)) != 0;
}

}  // namespace ra::app::config
