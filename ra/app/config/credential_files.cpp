#include "ra/app/config/credential_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "ra/app/config/credential.h"
#include "ra/app/config/material.h"
#include "ra/base/secret.h"
#include "ra/crypto/files.h"

namespace ra::app::config {
namespace {

constexpr std::string_view kNew = ".new", kOld = ".old";
constexpr mode_t kPrivate = 0600, kPermissions = 0777;

[[noreturn]] void refuse(const std::string& path, std::string_view what) {
    throw std::runtime_error(path + ": " + std::string(what) + ": " + std::strerror(errno));
}

std::string with(const std::string& path, std::string_view suffix) {
    return path + std::string(suffix);
}

/// What a path leads to, so that a link stays one.
std::string real_path(const std::string& path) {
    std::error_code error;
    const auto real = std::filesystem::canonical(path, error);
    if (error) throw std::runtime_error(path + ": " + error.message());
    return real.string();
}

std::string directory_of(const std::string& path) {
    const auto parent = std::filesystem::path(path).parent_path().string();
    return parent.empty() ? "." : parent;
}

class Descriptor {
public:
    explicit Descriptor(int descriptor) noexcept : descriptor_{descriptor} {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    [[nodiscard]] int get() const noexcept { return descriptor_; }

private:
    int descriptor_;
};

void sync_directory(const std::string& path) {
    const std::string directory = directory_of(path);
    const Descriptor opened{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (opened.get() < 0 || ::fsync(opened.get()) != 0) refuse(directory, "cannot be synced");
}

/// A file of its own, on the disk when this returns. `like`: whose owner it gets, and whose mode
/// where `mode` is 0.
void write_file(const std::string& path, std::string_view text, const std::string& like,
                mode_t mode) {
    struct stat facts{};
    if (::stat(like.c_str(), &facts) != 0) refuse(like, "cannot be looked at");
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) refuse(path, "cannot be removed");
    const Descriptor file{
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kPrivate)};
    if (file.get() < 0) refuse(path, "cannot be made");
    while (!text.empty()) {
        const ssize_t written = ::write(file.get(), text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) refuse(path, "cannot be written");
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    // Another owner's only where we may; who reads it as that owner could not otherwise.
    const bool owned = ::fchown(file.get(), facts.st_uid, facts.st_gid) == 0;
    if (!owned && errno != EPERM) refuse(path, "cannot be given to its owner");
    if (::fchmod(file.get(), mode != 0 ? mode : facts.st_mode & kPermissions) != 0)
        refuse(path, "cannot be given its mode");
    if (::fsync(file.get()) != 0) refuse(path, "cannot be synced");
}

void rename_file(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) refuse(from, "cannot be renamed");
}

/// Another name for what is about to be replaced.
void set_aside(const std::string& path) {
    const std::string old = with(path, kOld), linked = with(old, kNew);
    if (::unlink(linked.c_str()) != 0 && errno != ENOENT) refuse(linked, "cannot be removed");
    if (::link(path.c_str(), linked.c_str()) != 0) {
        // Of another owner, or on a disk without links: a copy, then.
        if (errno != EPERM && errno != EMLINK && errno != EOPNOTSUPP)
            refuse(linked, "cannot be made");
        Bytes octets = crypto::load_file(path);
        write_file(linked, as_text(octets), path, 0);
        wipe(octets.data(), octets.size());
    }
    rename_file(linked, old);
}

bool is_there(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string pem_of(const crypto::Credential& made) {
    std::string text;
    for (const crypto::CertificatePtr& one : made.chain)
        text += crypto::pem_text("CERTIFICATE", one->der());
    return text;
}

}  // namespace

CredentialFiles::CredentialFiles(const CredentialConfig& credential, const std::string& directory)
    : credential_{credential},
      directory_{directory},
      with_key_{!credential.renew || !credential.renew->same_key},
      certificate_{real_path(Material{credential.certificate.value, directory}.path())} {
    if (with_key_) key_ = real_path(Material{credential.key.value, directory}.path());
}

void CredentialFiles::keep(const crypto::Credential& made) const {
    (void)finish();
    discard();
    try {
        write_new(made);
    } catch (...) {
        discard();
        throw;
    }
}

void CredentialFiles::write_new(const crypto::Credential& made) const {
    if (with_key_) {
        std::string passphrase;
        if (credential_.passphrase)
            passphrase = Material{credential_.passphrase->value, directory_}.read();
        std::string pem = made.key->pem(passphrase);
        wipe(passphrase.data(), passphrase.size());
        try {
            write_file(with(key_, kNew), pem, key_, kPrivate);
        } catch (...) {
            wipe(pem.data(), pem.size());
            throw;
        }
        wipe(pem.data(), pem.size());
        sync_directory(key_);
    }
    write_file(with(certificate_, kNew), pem_of(made), certificate_, 0);
    sync_directory(certificate_);
}

void CredentialFiles::install() const {
    set_aside(certificate_);
    sync_directory(certificate_);
    if (with_key_) {
        set_aside(key_);
        sync_directory(key_);
        rename_file(with(key_, kNew), key_);
        sync_directory(key_);
    }
    rename_file(with(certificate_, kNew), certificate_);
    sync_directory(certificate_);
}

bool CredentialFiles::finish() const {
    // The key's .new goes first: with it there, nothing was replaced.
    if (!with_key_ || is_there(with(key_, kNew)) || !is_there(with(certificate_, kNew)))
        return false;
    rename_file(with(certificate_, kNew), certificate_);
    sync_directory(certificate_);
    return true;
}

void CredentialFiles::discard() const noexcept {
    ::unlink((certificate_ + std::string(kNew)).c_str());
    if (with_key_) ::unlink((key_ + std::string(kNew)).c_str());
}

std::vector<crypto::CertificatePtr> kept_certificates(const std::string& certificate,
                                                      const crypto::PrivateKey& key) {
    std::error_code error;
    const auto real = std::filesystem::canonical(certificate, error);
    const std::string path = with(error ? certificate : real.string(), kNew);
    if (!is_there(path)) return {};
    auto chain = crypto::load_certificates(path);
    if (chain.empty() || !crypto::same_public_key(chain.front()->view().spki, key.spki()))
        return {};
    return chain;
}

crypto::CredentialPtr open_superseded(const CredentialConfig& credential,
                                      const std::string& directory) {
    try {
        const CredentialFiles files{credential, directory};
        CredentialConfig before = credential;
        before.renew.reset();
        before.certificate.value = {Source::Kind::file, with(files.certificate(), kOld)};
        if (!is_there(before.certificate.value.name)) return nullptr;
        if (!credential.renew->same_key) {
            const std::string key = real_path(Material{credential.key.value, directory}.path());
            before.key.value = {Source::Kind::file, with(key, kOld)};
        }
        auto opened = open_credential(before, directory);
        if (opened->certificate->view().not_after < SystemClock{}.wall_now()) return nullptr;
        return opened;
    } catch (const std::exception&) {
        return nullptr;  // it is a help, and no more
    }
}

std::string replaced_certificate(const CredentialConfig& credential, const std::string& directory) {
    const std::string old =
        with(real_path(Material{credential.certificate.value, directory}.path()), kOld);
    return is_there(old) ? old : std::string{};
}

std::string renewal_fault(const CredentialConfig& credential, const std::string& directory) {
    try {
        const CredentialFiles files{credential, directory};
        std::vector<std::string> paths{files.certificate()};
        if (!credential.renew->same_key)
            paths.push_back(real_path(Material{credential.key.value, directory}.path()));
        for (const std::string& path : paths) {
            const std::string folder = directory_of(path);
            if (::access(folder.c_str(), W_OK | X_OK) == 0) continue;
            std::string why = "credential " + in_quotes(credential.name);
            ((why += " cannot be renewed: this user may not write to ") += folder) += ", where ";
            return (why += path) += " is replaced";
        }
    } catch (const std::exception& fault) {
        return fault.what();
    }
    return {};
}

}  // namespace ra::app::config
