#include <cstdlib>
#include <map>
#include <set>
#include <utility>

#include "transports/coap/desk.h"

/// Requests of several endpoints at a CoAP desk, their fields taken from the input. Whatever comes:
/// an address that shows nothing gets three times its octets at most (S-31), bounds hold, a message
/// begins one exchange.

using namespace transports::coap;

namespace {

struct FixedRandom final : ra::Random {
    void fill(std::span<std::uint8_t> octets) noexcept override {
        for (std::uint8_t& octet : octets) octet = 7;
    }
};

class Input {
public:
    explicit Input(ra::ByteView octets) : rest_{octets} {}
    std::uint8_t octet() {
        if (rest_.empty()) return 0;
        const std::uint8_t first = rest_.front();
        rest_ = rest_.subspan(1);
        return first;
    }
    ra::ByteView octets(std::size_t count) {
        const ra::ByteView part = rest_.first(std::min(count, rest_.size()));
        rest_ = rest_.subspan(part.size());
        return part;
    }
    [[nodiscard]] bool done() const { return rest_.empty(); }

private:
    ra::ByteView rest_;
};

void require(bool holds) {
    if (!holds) std::abort();
}

const std::vector<std::string_view>& path_of(std::uint8_t which) {
    static const std::vector<std::string_view> paths[] = {
        {".well-known", "cmp"},
        {".well-known", "cmp", "ir"},
        {".well-known", "core"},
        {".well-known", "cmp", "ann"},
        {".well-known", "cmp", "p", "x", "kur"},
        {"elsewhere"},
    };
    return paths[which % std::size(paths)];
}

Request read(Input& input, const Desk& desk, ra::BootTime now) {
    static ra::Bytes payload;
    static ra::Bytes echo;
    Request request;
    const std::uint8_t flags = input.octet();
    request.from.octets[3] = input.octet() % 3;
    request.validated = (flags & 0x80U) != 0 && request.from.octets[3] == 2;
    request.reliable = request.validated && (flags & 0x40U) != 0;
    request.code = (flags & 1U) != 0 ? Code::post : (flags & 2U) != 0 ? Code::get : Code{4};
    request.message_id = input.octet();
    request.token = input.octets(input.octet() % 9);
    request.path = path_of(input.octet());
    if ((flags & 4U) != 0) request.content_format = kPkixCmp;
    if ((flags & 8U) != 0)
        request.block1 = Block::of(static_cast<std::uint32_t>(input.octet() << 8U | input.octet()));
    if ((flags & 16U) != 0) request.block2 = Block::of(input.octet());
    const std::uint8_t more = input.octet();
    if ((more & 1U) != 0) request.observe = (more >> 1U) & 1U;
    if ((more & 4U) != 0) {
        echo = desk.peers().echo_for(request.from, now);
        request.echo = echo;
    }
    payload.assign((more & 8U) != 0 && request.block1 ? request.block1->size() : input.octet() * 8U,
                   more);
    request.payload = payload;
    request.octets = 4 + request.token.size() + 1 + payload.size() + request.echo.size();
    for (const std::string_view segment : request.path) request.octets += 1 + segment.size();
    return request;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    FixedRandom random;
    DeskSettings settings;
    settings.bodies = {4096, 16'384, 8, 3, std::chrono::seconds{10}};
    settings.calls = {8, 4, 8192, 3, 32};
    settings.observers = 2;
    Desk desk{settings, random};
    ra::BootTime now{std::chrono::seconds{1000}};
    Input input{{data, size}};
    std::map<Endpoint, std::pair<std::size_t, std::size_t>> counted;  // received, sent
    std::set<CallId> begun;
    std::vector<CallId> open;
    while (!input.done()) {
        const std::uint8_t what = input.octet();
        if (what % 8 == 0 && !open.empty()) {
            const CallId id = open.back();
            open.pop_back();
            const ra::Bytes answer(input.octet() * 32U, 5);
            const auto sending = desk.answer(
                id, ra::Answer{answer},
                what < 128 ? Desk::Sent::separate : Desk::Sent::in_acknowledgement, now);
            require(sending.has_value());
            counted[sending->to].second +=
                sending->transmissions * octets_of(sending->response, sending->token.size());
        } else if (what % 8 == 1) {
            now += std::chrono::seconds{what / 8};
            desk.expire(now);
        } else {
            const Request request = read(input, desk, now);
            auto& [received, sent] = counted[request.from];
            received += request.octets;
            // Who is there may be sent anything: it starts again.
            if (!request.echo.empty() || desk.peers().validated(request.from, now) ||
                request.validated)
                received = 1U << 30U;
            const Desk::Action action = desk.take(request, now);
            if (const auto* respond = std::get_if<Desk::Respond>(&action))
                sent += octets_of(respond->response, request.token.size());
            if (const auto* one = std::get_if<Desk::Begin>(&action)) {
                require(begun.insert(one->id).second);
                open.push_back(one->id);
                const Desk::Action again = desk.take(request, now);
                received += request.octets;
                require(request.reliable || std::holds_alternative<Desk::Wait>(again));
                if (request.reliable) {
                    if (const auto* two = std::get_if<Desk::Begin>(&again)) open.push_back(two->id);
                }
            }
        }
        require(desk.partials().octets() <= settings.bodies.octets);
        require(desk.partials().size() <= settings.bodies.bodies);
        require(desk.open() <= settings.calls.open);
        require(desk.observers().size() <= settings.observers);
        for (const auto& [endpoint, octets] : counted)
            require(octets.second <= Peers::kFactor * octets.first);
    }
    return 0;
}
