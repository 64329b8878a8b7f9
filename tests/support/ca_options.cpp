#include "tests/support/ca_options.h"

#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "ra/crypto/files.h"

namespace test {

using namespace ra;

namespace {

sigset_t end_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

std::vector<crypto::CertificatePtr> load_all(const std::vector<std::string>& paths) {
    std::vector<crypto::CertificatePtr> all;
    for (const std::string& path : paths) {
        for (crypto::CertificatePtr& one : crypto::load_certificates(path))
            all.push_back(std::move(one));
    }
    return all;
}

void write_file(const std::filesystem::path& path, std::string_view text) {
    std::ofstream out{path, std::ios::binary};
    out << text;
    if (!out.flush()) throw std::runtime_error(path.string() + ": cannot be written");
}

}  // namespace

void CaOptions::add_to(CLI::App& app) {
    app.add_option("--trust", trust, "Anchors of devices that sign (PEM or DER)");
    app.add_option("--ra-trust", ra_trust, "Anchors of RAs");
    app.add_option("--secret", secrets,
                   "REFERENCE=FILE: a MAC secret and where it stands; once a reference");
    app.add_option("--write", write, "Folder for root.pem, responder.pem (must exist)");
    app.add_option("--device", device, "\"CN=…\": writes device.pem and device.key as well")
        ->needs("--write");
    app.add_option("--poll-count", poll_count, "pollReq answered by pollRep before a certificate");
    app.add_option("--check-after", check_after, "Seconds in pollRep");
    app.add_option("--validity", validity, "Seconds that what it issues is good for, at most");
    app.add_flag("--no-implicit-confirm", no_implicit_confirm, "Want certConf always");
    app.add_flag("--ca-pubs", ca_pubs, "The root in ip as caPubs");
    app.add_option("--port", port, "0: any");
}

labca::Settings CaOptions::settings() const {
    labca::Settings made;
    made.trust = load_all(trust);
    made.ra_trust = load_all(ra_trust);
    for (const std::string& one : secrets) {
        const auto equals = one.find('=');
        if (equals == std::string::npos) throw std::runtime_error("--secret REFERENCE=FILE");
        Bytes octets = crypto::load_file(one.substr(equals + 1));
        while (!octets.empty() && (octets.back() == '\n' || octets.back() == '\r'))
            octets.pop_back();
        made.secrets.insert_or_assign(one.substr(0, equals), Secret{std::move(octets)});
    }
    made.poll_count = poll_count;
    made.check_after = std::chrono::seconds{check_after};
    made.validity = std::chrono::seconds{validity};
    made.grant_implicit_confirm = !no_implicit_confirm;
    made.send_ca_pubs = ca_pubs;
    return made;
}

void CaOptions::write_files(labca::LabCa& ca) const {
    if (write.empty()) return;
    const std::filesystem::path folder{write};
    write_file(folder / "root.pem", ca.certificate_pem());
    write_file(folder / "responder.pem", crypto::pem_text("CERTIFICATE", ca.responder()->der()));
    if (device.empty()) return;
    const auto made = ca.issue_device_certificate(device);
    write_file(folder / "device.pem", crypto::pem_text("CERTIFICATE", made->certificate->der()));
    const mode_t before = ::umask(077);
    write_file(folder / "device.key", made->key->pem());
    ::umask(before);
}

void block_end_signals() {
    const sigset_t set = end_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void wait_for_end() {
    const sigset_t set = end_signals();
    int which = 0;
    sigwait(&set, &which);
}

}  // namespace test
