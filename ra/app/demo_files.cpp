#include "ra/app/demo_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

#include "policy/extension_values.h"
#include "ra/app/demo_doors.h"
#include "ra/asn1/der_writer.h"
#include "ra/crypto/files.h"

namespace ra::app {
namespace {

void write_file(const std::filesystem::path& path, std::string_view content,
                mode_t mode = S_IRUSR | S_IWUSR) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0) throw std::system_error(errno, std::generic_category(), path.string());
    const auto written = ::write(file, content.data(), content.size());
    ::close(file);
    if (written != static_cast<ssize_t>(content.size())) {
        throw std::runtime_error(path.string() + " cannot be written");
    }
}

void write_credential(const std::filesystem::path& directory, const std::string& name,
                      const crypto::Credential& credential) {
    write_file(directory / (name + ".pem"),
               crypto::pem_text("CERTIFICATE", credential.certificate->der()));
    write_file(directory / (name + ".key"), credential.key->pem());
}

/// A subjectAltName extension of this machine as its own programs call it.
Bytes local_host_names() {
    constexpr std::uint8_t kLoopback[] = {127, 0, 0, 1};
    asn1::DerWriter writer;
    {
        const auto extension = writer.open(asn1::Tag::sequence);
        writer.oid(policy::oid::kSubjectAltName.view());
        const auto value = writer.open(asn1::Tag::octet_string);
        const auto names = writer.open(asn1::Tag::sequence);
        writer.tlv(asn1::context_primitive(2), as_bytes("localhost"));
        writer.tlv(asn1::context_primitive(7), kLoopback);
    }
    return std::move(writer).take();
}

labca::Settings named(std::string name) {
    labca::Settings settings;
    settings.name = std::move(name);
    return settings;
}

constexpr const char* kReference = "device-2";  // of the secret

labca::Settings serving(const crypto::CertificatePtr& devices, const std::string& secret) {
    labca::Settings settings = named("CN=Lab CA,O=cmpgate demo");
    settings.responder = "CN=Lab CMP CA,O=cmpgate demo";
    settings.trust = {devices};
    settings.secrets.emplace(kReference, Secret{to_bytes(as_bytes(secret))});
    return settings;
}

std::string config_text(std::uint16_t port) {
    return R"(version = 1
workers = 1
allow_lab_ca = true
admin.url = "unix:admin.sock"

[store]
kind = "memory"

)" + demo_listeners(port) +
           R"(
[[upstream]]
name = "lab"
url = "labca:"
responder = { eku = "cmcCA", shared_secret = true }

[[credential]]
name = "ra"
certificate = "file:ra.pem"
key = "file:ra.key"

[[profile]]
name = "devices"
origin = { signature = { trust = ["file:maker.pem", "file:ca.pem"] }, mac = "secrets" }
pop = "required"
rules = { key = ["ec:P-256", "ec:P-384", "ed25519", "rsa>=3072"], subject = "CN=${sender.CN},O=cmpgate demo", issuer = "CN=Lab CA,O=cmpgate demo" }

[[secret]]
reference = "device-2"
secret = "file:device-2.secret"
generated = true
)";
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "cmpgate-demo-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
        throw std::system_error(errno, std::generic_category(), name);
    }
    path_ = name;
}

void TemporaryDirectory::remove() noexcept {
    std::error_code ignored;  // what cannot be removed is in the temporary directory
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    path_.clear();
}

DemoWorld::DemoWorld(const std::filesystem::path& directory, std::uint16_t port)
    : maker{named("CN=Device maker")},
      secret{to_hex(maker.random.octets(16))},
      lab_ca{serving(maker.ca.certificate(), secret)},
      config{config_text(port)} {
    write_file(directory / "maker.pem", maker.ca.certificate_pem());
    write_file(directory / "ca.pem", lab_ca.ca.certificate_pem());
    write_credential(directory, "device", *maker.ca.issue_device_certificate("CN=device-1"));
    write_credential(directory, "ra",
                     *lab_ca.ca.issue_device_certificate("CN=Demo RA,O=cmpgate demo"));
    write_credential(directory, "tls",
                     *lab_ca.ca.issue_device_certificate("CN=localhost,O=cmpgate demo", "ec:P-256",
                                                         local_host_names()));
    write_file(directory / "message", demo_message_script(), S_IRWXU);
    std::filesystem::create_directory(directory / "spool");
    std::filesystem::permissions(directory / "spool", std::filesystem::perms::owner_all);
    for (const char* key : {"new.key", "next.key", "update.key"}) {
        write_file(directory / key, crypto::PrivateKey::generate("ec:P-256")->pem());
    }
    write_file(directory / "device-2.secret", secret);
    write_file(directory / "cmpgate.toml", config);
}

}  // namespace ra::app
