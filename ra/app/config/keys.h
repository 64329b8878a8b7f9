#pragma once

#include <string_view>
#include <vector>

namespace ra::app::config {

/// The tables of the configuration.
enum class Section {
    root,
    listener,
    listener_tls,
    listener_sni,
    upstream,
    upstream_tls,
    responder,
    breaker,
    credential,
    renew,
    secret,
    profile,
    match,
    origin,
    signature,
    ra,
    rules,
    treatment,
    amend,
    store,
    limits,
    log,
    admin,
    audit,
};

struct SectionKeys {
    Section section;
    std::string_view name;  // as conf/cmpgate.toml and messages write it: "[[listener]]"
    std::vector<std::string_view> keys;
};

/// Every key there is. A key that is asked for and not listed here is a fault of ours (and throws);
/// one that is written and not listed is the user's.
[[nodiscard]] const std::vector<SectionKeys>& all_keys();
[[nodiscard]] const SectionKeys& keys_of(Section section);

}  // namespace ra::app::config
