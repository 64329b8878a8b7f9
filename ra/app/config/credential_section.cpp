#include <algorithm>

#include "ra/app/config/sections.h"

namespace ra::app::config {

std::string read_name(const Table& table, std::string_view what, std::size_t index) {
    const auto name = table.text("name");
    if (!name) return std::string(what) + '-' + std::to_string(index + 1);
    const bool plain = !name->value.empty() && name->value.size() <= 64 &&
                       std::all_of(name->value.begin(), name->value.end(),
                                   [](char c) { return c > ' ' && c < 0x7f; });
    if (!plain)
        table.faults().error(name->at, "name is 1 to 64 printable characters without blanks");
    return name->value;
}

CredentialConfig read_credential(const Node& node, std::size_t index, Faults& faults) {
    const Table table{node, Section::credential, faults};
    CredentialConfig credential;
    credential.at = node.at;
    if (node.kind != Node::Kind::table) return credential;
    credential.name = read_name(table, "credential", index);
    credential.pkcs12 = table.source("pkcs12");
    for (const std::string_view key : {"certificate", "key"}) {
        if (table.has("pkcs12") && table.has(key)) {
            faults.error(table.at(key), std::string(key) + " is in the pkcs12 file already");
        } else if (!table.has("pkcs12") && !table.has(key)) {
            faults.error(node.at, "[[credential]] has no " + std::string(key) +
                                      " (certificate and key, or pkcs12)");
        }
    }
    if (auto certificate = table.source("certificate"))
        credential.certificate = std::move(*certificate);
    if (auto key = table.key_source("key")) credential.key = std::move(*key);
    credential.passphrase = table.source("passphrase");
    if (const Node* renew = table.get("renew"))
        credential.renew = read_renew(*renew, credential, faults);
    return credential;
}

SecretConfig read_secret(const Node& node, Faults& faults) {
    const Table table{node, Section::secret, faults};
    SecretConfig secret;
    secret.at = node.at;
    if (node.kind != Node::Kind::table) return secret;
    for (const std::string_view key : {"reference", "secret"}) {
        if (!table.has(key)) faults.error(node.at, "[[secret]] has no " + std::string(key));
    }
    if (const auto reference = table.text("reference")) {
        secret.reference = reference->value;
        if (secret.reference.empty() || secret.reference.size() > 64)
            faults.error(reference->at, "reference is the senderKID of a device: 1 to 64 octets");
    }
    if (auto source = table.source("secret")) secret.secret = std::move(*source);
    if (const auto profile = table.text("profile")) {
        secret.profile = profile->value;
        secret.profile_at = profile->at;
    }
    const auto uses = static_cast<std::uint32_t>(table.integer("uses", 0, 1'000'000'000, 1));
    secret.uses = uses != 0 ? std::optional{uses} : std::nullopt;
    if (const auto expires = table.text("expires"))
        table.attempt(expires->at, [&] { secret.expires = parse_time(expires->value); });
    secret.generated = table.boolean("generated", false);
    return secret;
}

}  // namespace ra::app::config
