#include "ra/app/config/keys.h"

#include <stdexcept>

namespace ra::app::config {

const std::vector<SectionKeys>& all_keys() {
    // clang-format off
    static const std::vector<SectionKeys> keys = {
        {Section::root, "the top level",
         {"version", "workers", "drain_timeout", "reload_grace", "allow_lab_ca", "reply_credential", "hop", "listener", "upstream",
          "credential", "secret", "profile", "store", "limits", "log", "admin", "audit"}},
        {Section::listener, "[[listener]]",
         {"name", "url", "aliases", "max_connections", "receive_timeout", "idle_timeout", "send_timeout",
          "exchange_timeout", "max_requests", "http2", "label", "poll_after", "check_back", "at_once", "rescan", "tls", "psk", "proxy_protocol"}},
        {Section::listener_tls, "listener.tls",
         {"certificate", "key", "passphrase", "ocsp", "sni", "client_ca", "client_certificates", "crl", "crl_grace"}},
        {Section::listener_sni, "listener.tls.sni", {"certificate", "key", "passphrase", "ocsp"}},
        {Section::upstream, "[[upstream]]",
         {"name", "url", "trust", "intermediates", "crl", "crl_policy", "crl_grace", "responder", "credential",
          "ca_pubs", "resend", "append_labels", "max_check_after", "max_connections", "max_waiting", "connect_timeout", "idle_timeout",
          "http2", "tcp_framing", "check_after", "patience", "announces_on", "tls", "quirks", "shared_state", "max_in_flight", "answer_timeout", "breaker"}},
        {Section::upstream_tls, "upstream.tls", {"trust", "crl", "crl_grace", "certificate", "key", "passphrase", "name"}},
        {Section::responder, "upstream.responder", {"certificate", "eku", "issuer", "subject", "shared_secret"}},
        {Section::breaker, "upstream.breaker", {"failures", "shortest", "longest", "probe_timeout"}},
        {Section::credential, "[[credential]]", {"name", "certificate", "key", "pkcs12", "passphrase", "renew"}},
        {Section::renew, "credential.renew", {"upstream", "label", "before", "key", "trust", "timeout"}},
        {Section::secret, "[[secret]]", {"reference", "secret", "profile", "uses", "expires", "generated"}},
        {Section::profile, "[[profile]]",
         {"name", "match", "origin", "pop", "ra", "rules", "cert_profile_is_label", "treatment", "ee_trusts_ra", "amend", "orig_pki_message", "upstream",
          "tls_client", "tls_client_from_proxy"}},
        {Section::match, "profile.match", {"label", "operations", "cert_profile", "listener", "sender"}},
        {Section::origin, "profile.origin", {"signature", "mac", "opaque", "sender_is_subject", "sender_is_reference", "time_window", "undated"}},
        {Section::signature, "profile.origin.signature", {"trust", "intermediates", "crl", "crl_policy", "crl_grace"}},
        {Section::ra, "profile.ra",
         {"trust", "intermediates", "crl", "crl_policy", "crl_grace", "allow", "require_cmc_ra"}},
        {Section::rules, "profile.rules",
         {"key", "subject", "issuer", "san_dns", "san_ip", "san_email", "san_uri", "eku", "key_usage", "max_validity",
          "max_backdate", "ca", "central_key_generation", "implicit_confirm", "duplicate_keys", "extensions", "controls", "reg_info",
          "attributes", "general_info", "genm", "rr", "rr_reasons"}},
        {Section::treatment, "profile.treatment",
         {"default", "mac", "signature", "nested", "ir", "cr", "kur", "p10cr", "rr", "genm"}},
        {Section::amend, "profile.amend",
         {"subject", "san", "san_dns", "san_email", "san_uri", "san_ip", "key_usage", "eku", "max_validity",
          "drop_extensions"}},
        {Section::store, "[store]",
         {"kind", "path", "key", "open", "open_per_principal", "open_octets", "remembered", "remembered_per_principal", "kept_octets",
          "opaque_percent", "certified_keys", "revoked"}},
        {Section::limits, "[limits]",
         {"message", "depth", "extra_certs", "nested_messages", "nesting_depth", "cert_req_msgs", "general_info",
          "id_min", "id_max", "kid", "template_extensions", "mac_iterations", "mac_iterations_min", "exchanges", "signed_refusals", "open_time", "poll_time",
          "replay_horizon"}},
        {Section::log, "[log]", {"level", "format", "to"}},
        {Section::audit, "[audit]", {"to", "key", "credential", "node", "on_failure"}},
        {Section::admin, "[admin]", {"url", "view", "approve", "secrets", "config", "upstream_down"}},
    };
    // clang-format on
    return keys;
}

const SectionKeys& keys_of(Section section) {
    for (const SectionKeys& keys : all_keys()) {
        if (keys.section == section) return keys;
    }
    throw std::logic_error("configuration section without keys");
}

}  // namespace ra::app::config
