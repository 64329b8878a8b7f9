#include "transports/coap/observers.h"

namespace transports::coap {

bool Observers::add(const Endpoint& from, ra::ByteView token, ra::BootTime now) {
    Observer observer{from, ra::to_bytes(token)};
    const auto found = observers_.find(observer);
    if (found != observers_.end()) {
        found->second = now;
        return true;
    }
    if (observers_.size() >= most_) return false;
    observers_.emplace(std::move(observer), now);
    return true;
}

void Observers::remove(const Endpoint& from, ra::ByteView token) {
    observers_.erase(Observer{from, ra::to_bytes(token)});
}

void Observers::forget(const Endpoint& from) {
    auto one = observers_.lower_bound(Observer{from, {}});
    while (one != observers_.end() && one->first.at == from) one = observers_.erase(one);
}

void Observers::expire(ra::BootTime now) {
    std::erase_if(observers_,
                  [now](const auto& one) { return now - one.second >= kForgottenAfter; });
}

std::vector<Observers::Observer> Observers::all() const {
    std::vector<Observer> all;
    all.reserve(observers_.size());
    for (const auto& [observer, since] : observers_) all.push_back(observer);
    return all;
}

bool Observers::any_of(const Endpoint& from) const {
    const auto first = observers_.lower_bound(Observer{from, {}});
    return first != observers_.end() && first->first.at == from;
}

}  // namespace transports::coap
