#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "transports/coap/desk.h"

/// Requests for a desk, with everything they point to.
namespace coap_test {

using namespace std::chrono_literals;
namespace coap = transports::coap;
using coap::Block;
using coap::Code;
using coap::Desk;

struct ZeroRandom final : ra::Random {
    void fill(std::span<std::uint8_t> octets) noexcept override {
        for (std::uint8_t& octet : octets) octet = ++last;
    }
    std::uint8_t last = 0;
};

inline coap::Endpoint endpoint(std::uint8_t number) {
    coap::Endpoint made;
    made.octets[5] = number;
    return made;
}

struct Asking {
    explicit Asking(std::string path_text = "/.well-known/cmp", Code code = Code::post)
        : path{std::move(path_text)} {
        request.code = code;
        request.from = endpoint(1);
        request.message_id = ++last_id;
        if (code == Code::post) request.content_format = coap::kPkixCmp;
    }
    Asking& body(std::string text) {
        payload = std::move(text);
        return *this;
    }
    Asking& block1(std::uint32_t number, bool more, std::uint8_t szx) {
        request.block1 = Block{number, more, szx};
        return *this;
    }
    Asking& block2(std::uint32_t number, std::uint8_t szx) {
        request.block2 = Block{number, false, szx};
        return *this;
    }
    Asking& from(std::uint8_t number) {
        request.from = endpoint(number);
        return *this;
    }
    Asking& token(std::string text) {
        token_text = std::move(text);
        return *this;
    }
    Asking& echo(ra::Bytes value) {
        echo_value = std::move(value);
        return *this;
    }
    Asking& validated() {
        request.validated = true;
        return *this;
    }
    /// With views into this, and its size as on the wire.
    const coap::Request& made() {
        request.path.clear();
        request.octets = 4 + token_text.size();
        std::string_view rest = path;
        while (!rest.empty()) {
            rest.remove_prefix(1);
            const auto end = std::min(rest.find('/'), rest.size());
            request.path.push_back(rest.substr(0, end));
            request.octets += 1 + end;
            rest.remove_prefix(end);
        }
        request.token = ra::as_bytes(token_text);
        request.payload = ra::as_bytes(payload);
        request.echo = echo_value;
        request.octets += (payload.empty() ? 0 : 1 + payload.size()) + echo_value.size();
        if (request.content_format) request.octets += 3;
        return request;
    }

    static inline std::uint16_t last_id = 0;
    coap::Request request;
    std::string path, token_text = "t", payload;
    ra::Bytes echo_value;
};

/// A desk with a clock.
struct DeskWorld {
    explicit DeskWorld(coap::DeskSettings settings = {}) : desk{with_silence(settings), random} {}
    static coap::DeskSettings with_silence(coap::DeskSettings settings) {
        if (settings.bodies.silence == 0ns) settings.bodies.silence = 60s;
        return settings;
    }
    Desk::Action take(Asking& asking) { return desk.take(asking.made(), now); }
    Desk::Action take(Asking&& asking) { return desk.take(asking.made(), now); }

    ZeroRandom random;
    ra::BootTime now{1000s};
    Desk desk;
};

inline const coap::Response& response_of(const Desk::Action& action) {
    static const coap::Response none;
    const auto* respond = std::get_if<Desk::Respond>(&action);
    return respond == nullptr ? none : respond->response;
}
inline Code code_of(const Desk::Action& action) { return response_of(action).code; }
inline bool begins(const Desk::Action& action) {
    return std::holds_alternative<Desk::Begin>(action);
}
inline bool waits(const Desk::Action& action) { return std::holds_alternative<Desk::Wait>(action); }

inline ra::Reply answer(const std::string& text) {
    return ra::Answer{ra::to_bytes(ra::as_bytes(text))};
}

/// Text of `size` octets, no two blocks alike.
inline std::string text_of(std::size_t size) {
    std::string text;
    for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + ",";
    text.resize(size);
    return text;
}

/// The whole answer, by asking for one block after the other.
inline std::string download(DeskWorld& world, const coap::Response& first, std::uint8_t from = 1) {
    std::string text{ra::as_text(first.payload)};
    coap::Response response = first;
    while (response.block2 && response.block2->more) {
        Asking asking;
        asking.from(from).token("other").block2(response.block2->number + 1, response.block2->szx);
        const Desk::Action action = world.take(asking);
        response = response_of(action);
        REQUIRE(response.code == Code::changed);
        REQUIRE(response.block2.has_value());
        CHECK(response.block2->offset() == text.size());
        CHECK(response.etag == first.etag);
        text += ra::as_text(response.payload);
    }
    return text;
}

}  // namespace coap_test
