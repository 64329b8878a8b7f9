#pragma once

#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "ra/base/random.h"
#include "ra/base/time.h"
#include "transports/coap/endpoint_hash.h"
#include "transports/coap/message.h"

namespace transports::coap {

/// Names one exchange of one server, for its life.
using CallId = std::uint64_t;

/// An exchange with its answer.
struct Call {
    CallId id = 0;
    Endpoint from;
    std::string path;
    ra::Bytes request_tag;
    ra::Bytes token;
    bool confirmable = true;
    bool reliable = false;
    bool counted = false;                // from an address that anybody may claim
    std::size_t largest = 0;             // response its transport carries whole
    std::size_t overhead = 0;            // of its request, the body taken off
    std::optional<Block> block1;         // of its last request
    std::uint8_t szx = Block::kLargest;  // that it wants answers in

    bool answered = false;
    bool delivered = false;  // the last octet of the answer has been sent
    Code code = Code::empty;
    std::optional<std::uint16_t> content_format;
    std::optional<std::uint32_t> max_age;
    ra::Bytes content;
};

/// Exchanges under way and answers that are kept: requests are never run twice, whatever the
/// network repeats (spec 03 3), and later blocks come from the answer that was given.
class Calls {
public:
    /// RFC 7252 4.8.2, EXCHANGE_LIFETIME: how long a message may be on its way twice.
    static constexpr std::chrono::seconds kLifetime{247};

    struct Limits {
        std::size_t open = 1024;       // exchanges at a time
        std::size_t open_of_one = 64;  // of one endpoint
        std::size_t kept_octets = 4UL << 20U;
        std::size_t kept_of_one = 64;  // answers of one endpoint
        std::size_t seen = 32'768;     // messages remembered for their repetition
    };

    Calls(const Limits& limits, ra::Random& random)
        : Calls{limits, EndpointHash{ra::KeyedHash{random}}} {}

    [[nodiscard]] bool has_room(const Endpoint& from) const;
    /// `message_id`: with the endpoint and token names its message (RFC 7252 4.5).
    CallId begin(Call call, std::uint16_t message_id, ra::BootTime now);
    /// Null: no such call any more.
    [[nodiscard]] Call* find(CallId id) noexcept;
    /// The answer is there: it is kept from now on.
    void answered(CallId id, ra::BootTime now);
    /// Nobody will ask again: the endpoint's association has ended. Open calls go on.
    void forget(const Endpoint& from);
    void expire(ra::BootTime now);

    /// Whether that message came before, and what it began: the call, or null where its answer is
    /// no more.
    struct Seen {
        bool before = false;
        Call* call = nullptr;
    };
    [[nodiscard]] Seen seen(const Request& request);
    /// The answer a later block is wanted of: by token, else the latest for the path.
    [[nodiscard]] Call* answer_for(const Request& request, const std::string& path);

    [[nodiscard]] std::size_t open() const noexcept { return open_; }
    /// Answers that have not been fetched to their end.
    [[nodiscard]] std::size_t undelivered() const noexcept;
    [[nodiscard]] bool holds() const noexcept { return !kept_.empty() || !seen_order_.empty(); }
    [[nodiscard]] std::size_t kept_octets() const noexcept { return kept_octets_; }

private:
    /// Endpoint, Message-ID and token.
    struct MessageKey {
        MessageKey(const Endpoint& endpoint, std::uint16_t id, ra::ByteView token) noexcept;
        std::array<std::uint8_t, 32> octets{};
        friend bool operator==(const MessageKey&, const MessageKey&) = default;
    };
    struct MessageHash {
        EndpointHash hash;
        std::size_t operator()(const MessageKey& key) const { return hash.keyed(key.octets); }
    };
    /// Those of one endpoint, the oldest in front.
    struct OfOne {
        std::vector<Call*> calls;
        std::size_t open = 0;
    };
    template <class Key>
    struct Timed {
        Key key;
        ra::BootTime since;
    };

    Calls(const Limits& limits, const EndpointHash& hash)
        : limits_{limits}, by_endpoint_{0, hash}, seen_{0, MessageHash{hash}} {}

    void drop(CallId id);

    Limits limits_;
    CallId last_ = 0;
    std::size_t open_ = 0;
    std::size_t kept_octets_ = 0;
    std::unordered_map<CallId, Call> calls_;
    std::unordered_map<Endpoint, OfOne, EndpointHash> by_endpoint_;
    std::deque<Timed<CallId>> kept_;  // answered, the oldest in front; some may have gone since
    std::unordered_map<MessageKey, CallId, MessageHash> seen_;
    std::deque<Timed<MessageKey>> seen_order_;
};

}  // namespace transports::coap
