#include "ra/app/config/sections.h"

namespace ra::app::config {
namespace {

using std::chrono::seconds;

constexpr seconds kDay{86'400};

bool is_file(const Located<Source>& source) { return source.value.kind == Source::Kind::file; }

/// "new", "same" or the kind of a new one.
void read_key(const Table& table, const CredentialConfig& credential, RenewConfig& renew) {
    // A token makes no key for us, and what came from elsewhere is not ours to replace.
    const bool replaceable = is_file(credential.key);
    renew.same_key = !replaceable;
    const auto key = table.text("key");
    if (!key || key->value == "same") {
        renew.same_key = key ? true : renew.same_key;
        return;
    }
    if (!replaceable) {
        table.faults().error(key->at,
                             "a new key can only replace one in a file: write key = \"same\"");
        return;
    }
    if (key->value == "new") return;
    static constexpr std::string_view kKinds[] = {"ec:P-256", "ec:P-384", "ec:P-521", "rsa:3072",
                                                  "rsa:4096", "ed25519",  "ed448"};
    for (const std::string_view kind : kKinds) {
        if (key->value == kind) renew.key_kind = key->value;
    }
    if (renew.key_kind.empty()) {
        table.not_one_of("key", *key,
                         {"new", "same", "ec:P-256", "ec:P-384", "ec:P-521", "rsa:3072", "rsa:4096",
                          "ed25519", "ed448"});
    }
}

}  // namespace

RenewConfig read_renew(const Node& node, const CredentialConfig& credential, Faults& faults) {
    const Table table{node, Section::renew, faults};
    RenewConfig renew;
    renew.at = node.at;
    if (node.kind != Node::Kind::table) return renew;
    if (auto upstream = table.text("upstream")) renew.upstream = std::move(*upstream);
    if (const auto label = table.text("label")) renew.label = label->value;
    if (table.has("before"))
        renew.before = table.duration("before", seconds{1}, kDay * 3660, kDay * 30);
    renew.anchors = table.sources("trust");
    renew.timeout = table.duration("timeout", seconds{10}, kDay * 366, renew.timeout);
    read_key(table, credential, renew);
    if (credential.pkcs12) {
        faults.error(node.at,
                     "renew writes certificate and key to files of their own, not into a pkcs12");
    } else if (!is_file(credential.certificate)) {
        faults.error(node.at,
                     "renew writes the new certificate to where the old one is: certificate must "
                     "be a \"file:…\"");
    } else if (!renew.same_key && credential.certificate.value == credential.key.value) {
        faults.error(node.at, "renew needs certificate and key in files of their own");
    }
    return renew;
}

}  // namespace ra::app::config
