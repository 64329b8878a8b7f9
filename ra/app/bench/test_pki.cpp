#include "ra/app/bench/test_pki.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "ra/base/random.h"
#include "ra/cmp/oids.h"
#include "ra/crypto/files.h"

namespace ra::app::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDevices = 16;
constexpr std::chrono::hours kAgo{1}, kYear{24 * 365};
constexpr std::string_view kRoot = "CN=cmpgate bench root";
constexpr std::string_view kKey = "ec:P-256";

Bytes build(ByteView issuer, const crypto::PrivateKey& issuer_key, ByteView subject, ByteView spki,
            ByteView usage) {
    SystemRandom random;
    Bytes serial = random.octets(16);
    serial[0] = static_cast<std::uint8_t>((serial[0] & 0x3fU) | 0x40U);  // positive and minimal
    Bytes extensions = crypto::subject_key_id_extension(spki);
    append(extensions, usage);
    const WallTime now = SystemClock{}.wall_now();
    const crypto::CertificateFields fields{serial,      issuer, subject,   now - kAgo,
                                           now + kYear, spki,   extensions};
    auto made = crypto::build_certificate(fields, issuer_key);
    if (!made) throw std::runtime_error("a test certificate could not be signed");
    return std::move(*made);
}

crypto::CertificatePtr parsed(ByteView der) {
    auto made = crypto::Certificate::parse(der);
    if (!made) throw std::runtime_error("a test certificate does not parse");
    return std::move(*made);
}

crypto::CredentialPtr credential(const TestPki& pki, const std::string& name,
                                 const std::vector<ByteView>& eku = {}) {
    auto made = std::make_shared<crypto::Credential>();
    made->name = name;
    made->key = crypto::PrivateKey::generate(kKey);
    made->certificate = parsed(issue(pki, crypto::name_of("CN=" + name), made->key->spki(), eku));
    made->chain = {made->certificate};
    return made;
}

/// Nobody else may read a key.
void write_file(const fs::path& path, std::string_view content) {
    const int file =
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0) throw std::system_error(errno, std::generic_category(), path.string());
    const auto written = ::write(file, content.data(), content.size());
    ::close(file);
    if (written != static_cast<ssize_t>(content.size()))
        throw std::runtime_error(path.string() + " cannot be written");
}

void write_credential(const fs::path& folder, const crypto::Credential& credential) {
    write_file(folder / (credential.name + ".pem"),
               crypto::pem_text("CERTIFICATE", credential.certificate->der()));
    write_file(folder / (credential.name + ".key"), credential.key->pem());
}

crypto::CredentialPtr read_credential(const fs::path& folder, const std::string& name) {
    const std::string path = (folder / name).string();
    return crypto::Credential::load(name, path + ".pem", path + ".key");
}

TestPki read(const fs::path& folder) {
    TestPki pki;
    const std::string root = (folder / "root").string();
    pki.root_key = crypto::PrivateKey::load(root + ".key");
    pki.root = crypto::load_certificates(root + ".pem").at(0);
    pki.responder = read_credential(folder, "ca");
    for (std::size_t i = 0; i < kDevices; ++i)
        pki.devices.push_back(read_credential(folder, "device-" + std::to_string(i)));
    return pki;
}

}  // namespace

Bytes issue(const TestPki& pki, ByteView subject, ByteView spki, const std::vector<ByteView>& eku) {
    constexpr std::uint16_t kDigitalSignature = 1U << 0U;
    Bytes usage = crypto::key_usage_extension(kDigitalSignature);
    if (!eku.empty()) append(usage, crypto::ext_key_usage_extension(eku));
    return build(pki.root->subject(), *pki.root_key, subject, spki, usage);
}

TestPki TestPki::make() {
    TestPki pki;
    pki.root_key = crypto::PrivateKey::generate(kKey);
    constexpr std::uint16_t kCertSign = 1U << 5U, kCrlSign = 1U << 6U;
    Bytes usage = crypto::key_usage_extension(kCertSign | kCrlSign);
    append(usage, crypto::basic_constraints_extension(true));
    const Bytes name = crypto::name_of(kRoot);
    pki.root = parsed(build(name, *pki.root_key, name, pki.root_key->spki(), usage));
    pki.responder = credential(pki, "ca", {cmp::oid::kCmcCa.view()});
    for (std::size_t i = 0; i < kDevices; ++i)
        pki.devices.push_back(credential(pki, "device-" + std::to_string(i)));
    return pki;
}

TestPki TestPki::open(const std::string& folder) {
    const fs::path path{folder};
    if (!fs::exists(path / "root.pem")) {
        const TestPki pki = make();
        const fs::path unfinished = folder + "." + std::to_string(::getpid());
        fs::create_directories(unfinished);
        write_file(unfinished / "root.pem", crypto::pem_text("CERTIFICATE", pki.root->der()));
        write_file(unfinished / "root.key", pki.root_key->pem());
        write_credential(unfinished, *pki.responder);
        for (const crypto::CredentialPtr& device : pki.devices)
            write_credential(unfinished, *device);
        std::error_code taken;
        fs::rename(unfinished, path, taken);
        if (taken) fs::remove_all(unfinished);  // another was quicker, or it is no place of ours
    }
    return read(path);
}

}  // namespace ra::app::bench
