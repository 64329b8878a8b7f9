#include "ra/app/config/reload.h"

#include <algorithm>

#include "metrics/message_counters.h"
#include "ra/app/config/tls.h"

namespace ra::app::config {

void number_listeners(Config& config, std::vector<std::string>& known, Faults& faults) {
    std::vector<ListenerId> ids;
    for (ListenerConfig& listener : config.listeners) {
        auto found = std::find(known.begin(), known.end(), listener.name);
        if (found == known.end()) {
            if (known.size() >= metrics::kMostListeners) {
                faults.error(listener.at, "this process has seen " + std::to_string(known.size()) +
                                              " names of listeners; a further one needs a restart");
                return;
            }
            found = known.insert(known.end(), listener.name);
        }
        listener.id = static_cast<ListenerId>(found - known.begin());
        ids.push_back(listener.id);
    }
    for (ProfileConfig& profile : config.profiles) {
        for (ListenerId& id : profile.profile.match.listeners)
            id = ids.at(static_cast<std::size_t>(id));
    }
}

void judge_reload(const Config& now, const Config& next, Faults& faults) {
    if (now.workers != next.workers) {
        faults.error(next.workers_at, "workers cannot change while the gateway runs; restart it");
    }
    if (!(now.store == next.store)) {
        faults.error(next.store_at, "[store] cannot change while the gateway runs; restart it");
    }
    if (now.audit.path != next.audit.path || now.audit.node != next.audit.node ||
        now.audit.key.value.text() != next.audit.key.value.text() ||
        now.audit.credential.value != next.audit.credential.value ||
        now.audit.refuse_on_failure != next.audit.refuse_on_failure) {
        faults.error(next.audit.at, "[audit] cannot change while the gateway runs; restart it");
    }
    if (!std::equal(now.secrets.begin(), now.secrets.end(), next.secrets.begin(),
                    next.secrets.end(), [](const SecretConfig& a, const SecretConfig& b) {
                        return a.reference == b.reference && a.profile == b.profile &&
                               a.secret.value.text() == b.secret.value.text() && a.uses == b.uses &&
                               a.expires == b.expires;
                    })) {
        faults.error(next.secrets.empty() ? Place{} : next.secrets.front().at,
                     "[[secret]]s are read when the gateway starts; restart it");
    }
    const auto& was = now.admin.urls;
    const auto& is = next.admin.urls;
    if (!std::equal(was.begin(), was.end(), is.begin(), is.end(),
                    [](const auto& a, const auto& b) { return a.text == b.text; })) {
        faults.error(is.empty() ? Place{} : is.front().at,
                     "admin.url cannot change while the gateway runs; restart it");
    }
    const auto lab_ca = [](const UpstreamConfig& one) { return one.is_lab_ca(); };
    if (std::none_of(now.upstreams.begin(), now.upstreams.end(), lab_ca)) {
        const auto added = std::find_if(next.upstreams.begin(), next.upstreams.end(), lab_ca);
        if (added != next.upstreams.end())
            faults.error(added->at, "the lab CA is made when the gateway starts; restart it");
    }
}

bool same_socket(const ListenerConfig& a, const ListenerConfig& b) noexcept {
    return a.url.scheme == b.url.scheme && a.url.host == b.url.host && a.url.port == b.url.port &&
           (!a.url.is_file() || a.url.path == b.url.path) &&
           (a.url.port != 0 || a.url.is_file() || a.name == b.name);
}

bool same_client(const UpstreamConfig& a, const UpstreamConfig& b) {
    return std::equal(a.urls.begin(), a.urls.end(), b.urls.begin(), b.urls.end(),
                      [](const Url& x, const Url& y) { return x.text == y.text; }) &&
           a.resend_identical == b.resend_identical && a.append_labels == b.append_labels &&
           a.max_connections == b.max_connections && a.max_waiting == b.max_waiting &&
           a.connect_timeout == b.connect_timeout && a.idle_timeout == b.idle_timeout &&
           a.http2 == b.http2 && a.tcp_framing == b.tcp_framing && a.patience == b.patience &&
           a.shared_state == b.shared_state && a.max_in_flight == b.max_in_flight &&
           a.answer_timeout == b.answer_timeout && a.breaker == b.breaker &&
           tls_text(a) == tls_text(b);
}

}  // namespace ra::app::config
