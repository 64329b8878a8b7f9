#pragma once

#include "ra/app/config/config.h"
#include "ra/app/config/table.h"

/// The parts of a configuration, each read by one function (for parse.cpp only).
namespace ra::app::config {

/// `name`, or "WHAT-NUMBER".
[[nodiscard]] std::string read_name(const Table& table, std::string_view what, std::size_t index);
[[nodiscard]] TrustConfig read_trust(const Table& table);
/// OID contents of "clientAuth", "1.3.6.1.5.5.7.3.2"; unknown ones become faults.
[[nodiscard]] std::vector<Bytes> read_oids(const Table& table, std::string_view key);

[[nodiscard]] ListenerConfig read_listener(const Node& node, std::size_t index, Faults& faults);
/// `tls` of a listener and of an upstream (tls_section.cpp).
[[nodiscard]] ListenerTlsConfig read_listener_tls(const Node& node, Faults& faults);
[[nodiscard]] UpstreamTlsConfig read_upstream_tls(const Node& node, Faults& faults);
/// `proxy_protocol`: networks; what is none becomes a fault.
[[nodiscard]] std::vector<Located<std::string>> read_networks(const Table& table,
                                                              std::string_view key);

[[nodiscard]] UpstreamConfig read_upstream(const Node& node, std::size_t index, Faults& faults);
/// `renew` of `credential`, whose files are known already (renew_section.cpp).
[[nodiscard]] RenewConfig read_renew(const Node& node, const CredentialConfig& credential,
                                     Faults& faults);
[[nodiscard]] CredentialConfig read_credential(const Node& node, std::size_t index, Faults& faults);
[[nodiscard]] SecretConfig read_secret(const Node& node, Faults& faults);
[[nodiscard]] AuditConfig read_audit(const Node& node, const std::string& directory,
                                     Faults& faults);
/// `directory`: where relative paths begin. Users and groups are looked up on this machine.
[[nodiscard]] AdminConfig read_admin(const Node& node, const std::string& directory,
                                     Faults& faults);
/// `listeners`: for match.listener.
[[nodiscard]] ProfileConfig read_profile(const Node& node, std::size_t index,
                                         const std::vector<ListenerConfig>& listeners,
                                         Faults& faults);

/// `treatment`, `amend` and `orig_pki_message` of a profile.
void read_treatment(const Table& profile, ProfileConfig& config);
/// keyUsage bits by name.
[[nodiscard]] std::uint16_t read_key_usage(const Table& table, std::uint16_t otherwise);

}  // namespace ra::app::config
