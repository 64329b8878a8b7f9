#include <algorithm>

#include "ra/app/coap_host.h"
#include "ra/app/server.h"

/// The part of a server's life that tells the CoAP listeners whose secrets are pre-shared keys:
/// they get a table, never the store.
namespace ra::app {
namespace {

constexpr std::chrono::seconds kReadEvery{5};

/// Whoever holds a recorded handshake can guess at its key: only what was generated (RFC 9483 6.1).
bool is_psk(const gateway::SecretInfo& secret, WallTime now) {
    return secret.generated && !secret.locked && (!secret.expires || now < *secret.expires);
}

}  // namespace

void Server::watch_psks() {
    if (!workers_[0].tasks().draining()) workers_[0].tasks().spawn("psks", read_psks());
    workers_[0].schedule(clock_.boot_now() + kReadEvery, [this] { watch_psks(); });
}

asio::awaitable<void> Server::read_psks() {
    std::vector<EntrancePtr> wanting;
    {
        const std::lock_guard lock{mutex_};
        for (const EntrancePtr& one : entrances_) {
            if (one->config().psk) wanting.push_back(one);
        }
    }
    if (wanting.empty()) co_return;
    const std::vector<gateway::SecretInfo> all = co_await store_->secrets().list_secrets();
    std::vector<const gateway::SecretInfo*> good;
    std::string said;  // what the table is made of
    for (const EntrancePtr& one : wanting) said += one->config().name + one->address() + '\n';
    for (const gateway::SecretInfo& secret : all) {
        if (!is_psk(secret, clock_.wall_now())) continue;
        good.push_back(&secret);
        (said += as_text(secret.reference)) += '/' + std::to_string(secret.generation) + '\n';
    }
    if (said == psks_said_) co_return;
    auto table = std::make_shared<transports::coap::PskTable>();
    for (const gateway::SecretInfo* secret : good) {
        auto known = co_await store_->secrets().find_secret(secret->reference);
        if (known && known->generation == secret->generation)
            (void)table->add(secret->reference, std::move(known->octets));
    }
    for (const EntrancePtr& one : wanting) {
        if (auto* coap = dynamic_cast<CoapEntrance*>(one.get())) coap->set_psks(table);
    }
    psks_said_ = std::move(said);
}

}  // namespace ra::app
