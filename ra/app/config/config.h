#pragma once

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/profile.h"
#include "ra/admin/roles.h"
#include "ra/app/config/faults.h"
#include "ra/app/config/values.h"
#include "ra/cmp/limits.h"
#include "ra/gateway/quirks.h"

/// What a configuration file says: pure data, nothing opened or loaded. Files it names are loaded
/// by load_settings() (load.h).
namespace ra::app::config {

/// Certificates to trust, and how their revocation is known.
struct TrustConfig {
    std::vector<Located<Source>> anchors;  // empty: nothing is trusted
    std::vector<Located<Source>> intermediates;
    std::vector<Located<Source>> crls;
    crypto::CrlPolicy crl_policy = crypto::CrlPolicy::none;
    std::chrono::seconds crl_grace{0};
    Place at;
};

/// A certificate to show in TLS, with its key.
struct TlsIdentityConfig {
    Located<Source> certificate;  // chain: own certificate first
    Located<Source> key;
    std::optional<Located<Source>> passphrase;
    std::optional<Located<Source>> ocsp;
    Place at;
};

/// `tls` of a listener.
struct ListenerTlsConfig {
    enum class Clients : std::uint8_t { off, optional, required };
    std::vector<TlsIdentityConfig> identities;  // the first is for every name the others lack
    Clients clients = Clients::off;
    TrustConfig client_trust;
    Place at;
};

/// `tls` of an upstream.
struct UpstreamTlsConfig {
    TrustConfig trust;
    std::optional<TlsIdentityConfig> identity;
    std::string name;  // whose certificate is wanted; empty: that of the url's host
    Place at;
};

/// How messages are framed towards a CA directly over TCP (spec 03 section 4).
enum class TcpFraming : std::uint8_t { versioned, rfc2510 };

/// Whether HTTP/2 is spoken with a CA.
enum class UpstreamHttp2 : std::uint8_t {
    negotiated,  // https: where ALPN agrees on it; http: never
    never,
    prior_knowledge,  // always
};

struct ListenerConfig {
    std::string name;
    ListenerId id{};  // its place in the file, until number_listeners() says otherwise
    Url url;
    Place at;                          // of the url
    std::vector<std::string> aliases;  // further paths
    std::string label;                 // of every message, with tcp and file: no path says it
    std::uint32_t at_once = 64;        // with file: messages under way
    std::chrono::seconds rescan{60};   // with file: without a word from the kernel
    std::uint32_t max_connections = 20'000;
    std::chrono::seconds receive_timeout{10};
    std::chrono::seconds idle_timeout{60};
    std::chrono::seconds send_timeout{10};
    std::chrono::seconds exchange_timeout{30};
    std::uint32_t max_requests = 0;  // of one connection; 0: any number
    bool http2 = true;
    std::optional<std::chrono::seconds> poll_after;  // with tcp: then a client is told to poll
    std::chrono::seconds check_back{5};              // ... and when
    bool psk = false;                      // with coaps: generated secrets are pre-shared keys
    std::optional<ListenerTlsConfig> tls;  // with https and tcps
    std::vector<Located<std::string>> proxy_networks;  // that send a PROXY header (S-41)
};

/// Who may answer for a CA (S-12).
struct ResponderConfig {
    std::vector<Located<Source>> certificates;
    std::vector<Bytes> ekus;            // OID contents
    std::optional<std::string> issuer;  // names, with `subject`
    std::optional<std::string> subject;
    bool shared_secret = false;  // it knows the devices' secrets
    Place at;
};

struct UpstreamConfig {
    std::string name;
    std::vector<Url> urls;  // tried in order
    Place at;
    TrustConfig trust;
    ResponderConfig responder;
    Located<std::string> credential;  // empty: none
    bool knows_secrets = false;       // it can verify the devices' MACs itself
    std::vector<Located<Source>> ca_pubs;
    bool resend_identical = false;      // the CA is known to recognise a repetition (S-04)
    std::optional<bool> append_labels;  // none: where the url's path is /.well-known/cmp
    std::chrono::seconds max_check_after{86'400};
    std::chrono::seconds check_after{60};  // with file: what devices are told to wait
    std::chrono::seconds patience{2};      // with file: how long is waited before they are told
    std::uint32_t max_connections = 64;    // of one worker, to each URL
    std::uint32_t max_waiting = 1024;
    std::chrono::seconds connect_timeout{3};
    std::chrono::seconds idle_timeout{30};
    UpstreamHttp2 http2 = UpstreamHttp2::negotiated;
    TcpFraming tcp_framing = TcpFraming::versioned;
    std::vector<Located<std::string>> announces_on;  // listeners it may announce through
    std::optional<UpstreamTlsConfig> tls;            // with https and tcps
    gateway::Quirks quirks;
    Place quirks_at;
    bool shared_state = false;                           // its URLs are nodes of one CA (S-06)
    std::uint32_t max_in_flight = 1024;                  // messages at a time, of one worker
    std::optional<std::chrono::seconds> answer_timeout;  // none: the listener's exchange_timeout
    struct Breaker {
        std::uint32_t failures = 5;  // in a row; 0: never opens
        std::chrono::seconds shortest{2};
        std::chrono::seconds longest{120};
        std::chrono::seconds probe_timeout{5};
        friend bool operator==(const Breaker&, const Breaker&) = default;
    } breaker;  // of each URL

    [[nodiscard]] bool is_spool() const noexcept { return !urls.empty() && urls.front().is_file(); }
    [[nodiscard]] bool is_lab_ca() const noexcept {
        return !urls.empty() && urls.front().scheme == "labca";
    }
};

/// `renew` of a credential: its next certificate is asked for before it ends.
struct RenewConfig {
    Located<std::string> upstream;  // empty: the only one
    std::string label;
    std::optional<std::chrono::seconds> before;  // none: a third of the certificate's lifetime
    bool same_key = false;
    std::string key_kind;                  // of a new one; empty: like the one before
    std::vector<Located<Source>> anchors;  // of the new certificate; empty: the upstream's trust
    std::chrono::seconds timeout{7 * 86'400};
    Place at;
};

struct CredentialConfig {
    std::string name;
    std::optional<Located<Source>> pkcs12;  // all in one file, instead of the next two
    Located<Source> certificate;            // chain: own certificate first
    Located<Source> key;
    std::optional<Located<Source>> passphrase;  // of the file, or the token's PIN
    std::optional<RenewConfig> renew;
    Place at;
};

/// A secret that stands beside the configuration: for demonstrations and tests, and where the store
/// forgets them anyway.
struct SecretConfig {
    std::string reference;
    Located<Source> secret;
    std::string profile;  // empty: any
    Place profile_at;
    std::optional<std::uint32_t> uses = 1;  // nullopt: any number
    std::optional<WallTime> expires;
    bool generated = false;
    Place at;
};

struct ProfileConfig {
    policy::Profile profile;  // all but what is loaded: origin.trust, ra.trust
    TrustConfig origin_trust;
    TrustConfig ra_trust;
    Place at;
    Place origin_at;
    Place subject_at;  // of rules.subject, else of the profile
    Place san_at;
    Place treatment_at;
    Place amend_at;
    std::array<Place, cmp::kBodyTypes> operation_treatment_at{};  // where it is written
    Located<std::string> upstream;
};

struct StoreConfig {
    enum class Kind : std::uint8_t { memory, sqlite } kind = Kind::sqlite;
    Located<std::string> path;           // of the database; empty: see store_path()
    std::optional<Located<Source>> key;  // none: a file beside it
    std::size_t open = 65'536;
    std::size_t open_per_principal = 256;
    std::size_t open_octets = 512UL << 20U;
    std::size_t remembered = 1UL << 20U;
    std::size_t remembered_per_principal = 16'384;
    std::size_t kept_octets = 4UL << 20U;
    std::optional<unsigned> opaque_percent;  // none: 50, or 100 where all profiles are opaque
    std::size_t certified_keys = 65'536;     // S-14
    std::size_t revoked = 16'384;            // S-33

    friend bool operator==(const StoreConfig&, const StoreConfig&) = default;
};

struct LimitsConfig {
    cmp::Limits message;
    crypto::MacLimits mac;
    std::size_t exchanges = 4096;    // at a time, a worker
    unsigned signed_refusals = 200;  // a second, a worker (S-31)
    std::chrono::seconds open_time{300};
    std::chrono::seconds poll_time{7 * 86'400};
    std::chrono::seconds replay_horizon{900};
};

struct LogConfig {
    enum class Level : std::uint8_t { debug, info, warning, error };
    enum class Format : std::uint8_t { text, json };
    Level level = Level::info;
    Format format = Format::text;
    std::string to = "stderr";  // stderr, stdout, or a path
};

/// Where operators reach the running gateway, and who may do what there (S-40).
struct AdminConfig {
    struct At {
        std::string unix_path;  // else `http`
        Url http;               // on loopback
        std::string text;
        Place at;
    };
    std::vector<At> urls;
    admin::LocalRoles roles{static_cast<std::uint32_t>(::geteuid())};
    bool ready_without_upstream = true;
};

/// Where it is written down, so that it can be proved, what became of each message (S-42).
struct AuditConfig {
    std::string path;  // empty: nowhere
    Located<Source> key;
    Located<std::string> credential;  // that signs checkpoints; empty: none does
    std::string node;                 // empty: hop
    bool refuse_on_failure = true;
    Place at;
};

struct Config {
    std::string file;       // for messages
    std::string directory;  // that relative paths begin at
    unsigned workers = 0;   // 0: one a processor
    Place workers_at;
    std::chrono::seconds drain_timeout{20};
    std::chrono::seconds reload_grace{3600};  // what open transactions pinned outlives a reload
    bool allow_lab_ca = false;
    Located<std::string> reply_credential;  // empty: none
    std::string hop = "cmpgate";
    std::vector<ListenerConfig> listeners;
    std::vector<UpstreamConfig> upstreams;
    std::vector<CredentialConfig> credentials;
    std::vector<ProfileConfig> profiles;
    std::vector<SecretConfig> secrets;
    StoreConfig store;
    Place store_at;
    LimitsConfig limits;
    LogConfig log;
    AdminConfig admin;
    AuditConfig audit;
};

/// Reads and judges a configuration. What is wrong is added to `faults`; the result is of use only
/// if there are no errors among them. A document that is no TOML yields its first fault alone.
/// `file`: for messages; its directory is where relative paths begin.
[[nodiscard]] Config parse_config(const std::string& text, const std::string& file, Faults& faults);

/// The same from a file; one that cannot be read is a fault.
[[nodiscard]] Config read_config(const std::string& path, Faults& faults);

/// What can be known without loading anything, between the parts: names that must exist, and the
/// warnings of S-10, S-14, S-16 and S-05. parse_config() calls it.
void judge(const Config& config, Faults& faults);

/// What RFC 9483 5.2 forbids of a profile's treatments, as far as no message is needed to see it
/// (R-075..R-099). judge() calls it. `upstream`: null if there is none of that name.
void judge_treatment(const Config& config, const ProfileConfig& profile,
                     const UpstreamConfig* upstream, Faults& faults);

}  // namespace ra::app::config
