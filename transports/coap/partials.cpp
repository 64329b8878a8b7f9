#include "transports/coap/partials.h"

#include <algorithm>

namespace transports::coap {
namespace {

// Where there is no room, a body that has been silent this long gives way.
constexpr std::chrono::seconds kGivesWay{5};

/// Whether a block has as many octets as it says (RFC 7959 2.2).
bool fits(const Request& request) noexcept {
    const Block& block = *request.block1;
    const std::size_t size = request.payload.size();
    if (block.szx == Block::kBert) {
        return request.reliable && size != 0 && (!block.more || size % block.size() == 0);
    }
    return block.more ? size == block.size() : size <= block.size();
}

}  // namespace

Partials::Taken Partials::whole(const Request& request) const {
    if (request.payload.size() > limits_.message) return {Stage::too_large, {}, 0};
    return {Stage::whole, ra::to_bytes(request.payload), request.octets};
}

Partials::Taken Partials::take(const Request& request, const std::string& path, ra::BootTime now) {
    if (request.size1 && *request.size1 > limits_.message) return {Stage::too_large, {}, 0};
    if (!request.block1) return whole(request);
    const Block block = *request.block1;
    if (!fits(request)) return {};
    if (block.number == 0 && !block.more) return whole(request);

    const Key key{request.from, path, ra::to_bytes(request.request_tag)};
    auto found = bodies_.find(key);
    if (block.number == 0 && found != bodies_.end()) {
        // The first block again: retransmitted, unless more has come since. Then it is another
        // body.
        drop(found);
        found = bodies_.end();
    }
    if (found == bodies_.end()) {
        if (block.number != 0) return {Stage::incomplete, {}, 0};
        if (!make_room(request.from, request.payload.size(), now)) return {Stage::full, {}, 0};
        found = bodies_.emplace(key, Body{}).first;
        found->second.content_format = request.content_format;
    }
    Body& body = found->second;
    if (body.content_format != request.content_format) return {Stage::incomplete, {}, 0};
    const std::size_t offset = block.offset();
    if (offset > body.octets.size()) return {Stage::incomplete, {}, 0};
    body.received += request.octets;
    body.touched = now;
    const bool known = offset + request.payload.size() <= body.octets.size();
    if (known && block.more) return {Stage::more, {}, 0};  // retransmitted
    if (offset != body.octets.size()) {
        drop(found);
        return {Stage::incomplete, {}, 0};
    }
    if (offset + request.payload.size() > limits_.message) {
        drop(found);
        return {Stage::too_large, {}, 0};
    }
    if (octets_ + request.payload.size() > limits_.octets) {
        drop(found);
        return {Stage::full, {}, 0};
    }
    ra::append(body.octets, request.payload);
    octets_ += request.payload.size();
    if (block.more) return {Stage::more, {}, 0};
    Taken taken{Stage::whole, std::move(body.octets), body.received};
    octets_ -= taken.body.size();
    bodies_.erase(found);
    return taken;
}

bool Partials::make_room(const Endpoint& from, std::size_t octets, ra::BootTime now) {
    const auto first = bodies_.lower_bound(Key{from, {}, {}});
    std::size_t of_one = 0;
    auto oldest = bodies_.end();
    for (auto one = first; one != bodies_.end() && one->first.from == from; ++one, ++of_one) {
        if (oldest == bodies_.end() || one->second.touched < oldest->second.touched) oldest = one;
    }
    if (of_one >= limits_.of_one) drop(oldest);  // its own
    if (bodies_.size() < limits_.bodies && octets_ + octets <= limits_.octets) return true;
    const auto silent = std::min_element(
        bodies_.begin(), bodies_.end(),
        [](const auto& a, const auto& b) { return a.second.touched < b.second.touched; });
    if (silent == bodies_.end() || now - silent->second.touched < kGivesWay) return false;
    drop(silent);
    return bodies_.size() < limits_.bodies && octets_ + octets <= limits_.octets;
}

Partials::Bodies::iterator Partials::drop(Bodies::iterator body) {
    octets_ -= body->second.octets.size();
    return bodies_.erase(body);
}

void Partials::expire(ra::BootTime now) {
    for (auto one = bodies_.begin(); one != bodies_.end();) {
        one = now - one->second.touched >= limits_.silence ? drop(one) : std::next(one);
    }
}

void Partials::forget(const Endpoint& from) {
    auto one = bodies_.lower_bound(Key{from, {}, {}});
    while (one != bodies_.end() && one->first.from == from) one = drop(one);
}

}  // namespace transports::coap
