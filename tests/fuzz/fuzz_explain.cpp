#include <cstdlib>
#include <sstream>

#include "ra/app/explain.h"
#include "ra/crypto/signer.h"

/// What `check --explain` says of any octets: for a person at a terminal, so nothing of the message
/// may reach it as a control character; refused if and only if a line says so.

namespace {

using namespace ra;

struct FixedClock final : Clock {
    [[nodiscard]] WallTime wall_now() const noexcept override {
        return WallTime{std::chrono::seconds{1'790'000'000}};
    }
    [[nodiscard]] BootTime boot_now() const noexcept override {
        return BootTime{std::chrono::hours{1}};
    }
};

crypto::TrustStorePtr anchor() {
    const auto key = crypto::PrivateKey::generate("ec:P-256");
    const Bytes name = crypto::name_of("CN=Root"), serial{1};
    const WallTime from{std::chrono::seconds{1'700'000'000}};
    const crypto::CertificateFields fields{
        serial, name, name, from, from + std::chrono::hours{24 * 3650}, key->spki(), {}};
    const Bytes der = crypto::build_certificate(fields, *key).value();
    return crypto::TrustStore::of({crypto::Certificate::parse(der).value()});
}

gateway::Settings settings_of(policy::OriginSettings::Kind kind) {
    policy::Profile profile;
    profile.name = "fuzz";
    profile.origin.kind = kind;
    profile.origin.trust = anchor();
    profile.origin.time_window = std::chrono::seconds{0};
    profile.match.operations.set();
    gateway::Settings settings;
    settings.profiles = {std::make_shared<const policy::Profile>(std::move(profile))};
    return settings;
}

bool is_plain(std::string_view text) {
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if ((octet < 0x20 && c != '\n') || octet == 0x7f) return false;
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const gateway::Settings kSettings[] = {
        settings_of(policy::OriginSettings::Kind::signature),
        settings_of(policy::OriginSettings::Kind::opaque)};
    const FixedClock clock;
    for (const gateway::Settings& settings : kSettings) {
        std::ostringstream out;
        const int status =
            app::explain_message(Bytes(data, data + size), {}, settings, {}, clock, out);
        const std::string text = out.str();
        if (text.empty() || !is_plain(text)) std::abort();
        const bool refused = text.starts_with("REFUSED") || text.find("\nREFUSED") != text.npos;
        if (refused != (status != 0)) std::abort();
    }
    return 0;
}
