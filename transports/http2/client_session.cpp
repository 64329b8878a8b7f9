#include "transports/http2/client_session.h"

#include <algorithm>
#include <charconv>

#include "transports/http1/message_reader.h"

namespace transports::http2 {
namespace {

constexpr std::size_t kFieldOverhead = 32;  // RFC 9113 6.5.2

Session::Settings settings_of(const ClientLimits& limits) {
    Session::Settings settings;
    settings.max_header_list = static_cast<std::uint32_t>(limits.max_header);
    return settings;
}

}  // namespace

ClientSession::ClientSession(const ClientLimits& limits)
    : Session{Side::client, settings_of(limits)}, limits_{limits} {}

Call* ClientSession::find(StreamId id) noexcept {
    const auto found = calls_.find(id);
    return found == calls_.end() ? nullptr : found->second.get();
}

void ClientSession::end(Call& call, Call::End how) {
    if (call.end != Call::End::open) return;
    call.end = how;
    if (const auto ended = std::exchange(call.ended, nullptr)) ended();
}

/// What the frames of an answer cost comes back with it: a CA may answer as fast as it is asked.
void ClientSession::answered(Call& call) {
    if (call.end == Call::End::open) budget().earn(Budget::kAnswered);
    end(call, Call::End::answered);
}

StreamId ClientSession::call(const Fields& fields, std::shared_ptr<Call> call) {
    if (going_away_) return -1;
    const StreamId id = submit_request(fields, !call->content.empty());
    if (id > 0) calls_.emplace(id, std::move(call));
    return id;
}

void ClientSession::abandon(StreamId id) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) return;
    found->second->ended = nullptr;
    reset(id, ErrorCode::cancel);
}

void ClientSession::disconnected() {
    going_away_ = true;
    for (auto& [id, call] : std::exchange(calls_, {})) {
        const bool spared = last_processed_ && id > *last_processed_;
        end(*call, !call->left ? Call::End::unsent
                   : spared    ? Call::End::unprocessed
                               : Call::End::broken);
    }
}

bool ClientSession::on_header(StreamId id, std::string_view name, std::string_view value) noexcept {
    Call* call = find(id);
    if (call == nullptr) return true;  // abandoned
    call->heard = true;
    call->header_octets += name.size() + value.size() + kFieldOverhead;
    if (call->header_octets > limits_.max_header) {
        end(*call, Call::End::malformed);
        return false;
    }
    if (call->header_done) return true;  // trailers
    if (name == ":status") {
        call->status = 0;
        std::from_chars(value.data(), value.data() + value.size(), call->status);
    } else if (name == "content-type") {
        call->cmp = http1::is_cmp_media_type(value);
    }
    return true;
}

bool ClientSession::on_headers_end(StreamId id, bool last) noexcept {
    Call* call = find(id);
    if (call == nullptr) return true;
    if (call->status / 100 == 1) {
        call->status = 0;  // an interim response
        call->cmp = false;
        return !last;
    }
    call->header_done = true;
    if (last) answered(*call);
    return true;
}

bool ClientSession::on_data(StreamId id, ra::ByteView octets) noexcept {
    Call* call = find(id);
    if (call == nullptr) return true;
    if (octets.size() > limits_.max_body - call->body.size()) {
        end(*call, Call::End::malformed);
        return false;
    }
    ra::append(call->body, octets);
    return true;
}

bool ClientSession::on_data_end(StreamId id) noexcept {
    if (Call* call = find(id)) answered(*call);
    return true;
}

void ClientSession::on_closed(StreamId id, ErrorCode code) noexcept {
    const auto found = calls_.find(id);
    if (found == calls_.end()) return;
    const auto call = std::move(found->second);
    calls_.erase(found);
    // nghttp2 closes what lies above GOAWAY's last stream with REFUSED_STREAM, too.
    const bool spared =
        code == ErrorCode::refused_stream || (last_processed_ && id > *last_processed_);
    end(*call, !call->left              ? Call::End::unsent
               : spared && !call->heard ? Call::End::unprocessed
                                        : Call::End::broken);
}

void ClientSession::on_go_away(StreamId last) noexcept {
    going_away_ = true;
    last_processed_ = last;
}

void ClientSession::on_header_sent(StreamId id) noexcept {
    if (Call* call = find(id)) call->left = true;
}

std::size_t ClientSession::read_content(StreamId id, std::span<std::uint8_t> to,
                                        bool& last) noexcept {
    Call* call = find(id);
    last = true;
    if (call == nullptr) return 0;
    const std::size_t size = std::min(to.size(), call->content.size() - call->read);
    std::copy_n(call->content.begin() + static_cast<std::ptrdiff_t>(call->read), size, to.begin());
    call->read += size;
    last = call->read == call->content.size();
    return size;
}

}  // namespace transports::http2
