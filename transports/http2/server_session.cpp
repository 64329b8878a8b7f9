#include "transports/http2/server_session.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "transports/http1/message_reader.h"
#include "transports/http1/replies.h"

namespace transports::http2 {
namespace {

constexpr std::size_t kFieldOverhead = 32;  // RFC 9113 6.5.2

Session::Settings settings_of(const ServerLimits& limits) {
    Session::Settings settings;
    settings.max_streams = limits.max_streams;
    settings.max_header_list = static_cast<std::uint32_t>(limits.max_header);
    return settings;
}

}  // namespace

ServerSession::ServerSession(const ServerLimits& limits, const std::vector<std::string>& aliases,
                             const std::string& known_paths)
    : Session{Side::server, settings_of(limits)},
      limits_{limits},
      aliases_{aliases},
      known_paths_{known_paths} {}

ServerSession::Stream* ServerSession::find(StreamId id) noexcept {
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : &found->second;
}

bool ServerSession::on_headers_begin(StreamId id) noexcept {
    streams_[id].begun = now();  // again for trailers: no harm
    return true;
}

bool ServerSession::on_header(StreamId id, std::string_view name, std::string_view value) noexcept {
    Stream* stream = find(id);
    if (stream == nullptr) return false;
    stream->header_octets += name.size() + value.size() + kFieldOverhead;
    if (stream->header_octets > limits_.max_header) {
        stream->refusal = 431;
        return true;
    }
    if (stream->header_done) return true;  // trailers say nothing
    if (name == ":method") {
        stream->post = value == "POST";
    } else if (name == ":path") {
        if (auto path = http1::parse_path(value, aliases_)) {
            stream->path = std::move(*path);
            stream->served = true;
        }
    } else if (name == "content-type") {
        stream->cmp = http1::is_cmp_media_type(value);
    } else if (name == "content-length") {
        std::size_t length = 0;
        const auto result = std::from_chars(value.data(), value.data() + value.size(), length);
        if (result.ec != std::errc{} || length > limits_.max_body) stream->refusal = 413;
    } else if (name == "expect") {
        stream->expects = true;
    }
    return true;
}

unsigned ServerSession::judge(const Stream& stream) noexcept {
    if (stream.refusal == 431) return 431;
    if (!stream.served) return 404;
    if (!stream.post) return 405;
    if (!stream.cmp) return 415;
    return stream.refusal;
}

bool ServerSession::on_headers_end(StreamId id, bool last) noexcept {
    Stream* stream = find(id);
    if (stream == nullptr) return false;
    if (!stream->header_done) {
        stream->header_done = true;
        const unsigned status = judge(*stream);
        if (status != 0) {
            stream->whole = last;
            refuse(id, *stream, status);
            return true;
        }
        if (stream->expects && !last) submit_interim(id, {{":status", "100"}});
    }
    if (last) complete(id, *stream);
    return true;
}

bool ServerSession::on_data(StreamId id, ra::ByteView octets) noexcept {
    Stream* stream = find(id);
    if (stream == nullptr) return false;
    if (stream->answered) {
        // Refused: the rest is for nobody. Clients are confused by a reset behind an answer, so
        // some of it is taken.
        stream->discarded += octets.size();
        if (stream->discarded > limits_.max_body) reset(id, ErrorCode::no_error);
        return true;
    }
    if (octets.size() > limits_.max_body - stream->body.size()) {
        refuse(id, *stream, 413);
        return true;
    }
    ra::append(stream->body, octets);
    return true;
}

bool ServerSession::on_data_end(StreamId id) noexcept {
    Stream* stream = find(id);
    if (stream == nullptr) return false;
    complete(id, *stream);
    return true;
}

void ServerSession::complete(StreamId id, Stream& stream) {
    if (std::exchange(stream.whole, true) || stream.answered) return;
    ready_.push_back({id, std::move(stream.path), std::move(stream.body)});
    stream.body = {};
}

void ServerSession::refuse(StreamId id, Stream& stream, unsigned status) {
    if (stream.answered) return;
    refused_.push_back(status);
    stream.body = {};
    http1::HeadFacts facts;
    facts.status = status;
    ra::Bytes content;
    if (status == 404) {
        facts.content_type = http1::kPlainText;
        content = ra::to_bytes(ra::as_bytes(known_paths_));
    }
    (void)respond(id, facts, std::move(content));
}

bool ServerSession::respond(StreamId id, const http1::HeadFacts& facts, ra::Bytes content) {
    Stream* stream = find(id);
    if (stream == nullptr || stream->answered) return false;
    stream->answered = true;
    if (stream->whole) budget().earn(Budget::kAnswered);  // not for what was reset meanwhile
    stream->content = std::move(content);
    const std::string status = std::to_string(facts.status);
    const std::string length = std::to_string(stream->content.size());
    const std::string retry = std::to_string(facts.retry_after);
    const std::string trace = facts.trace == ra::TraceId{} ? "" : facts.trace.text();
    Fields fields{{":status", status}};
    if (!facts.content_type.empty()) fields.emplace_back("content-type", facts.content_type);
    fields.emplace_back("content-length", length);
    if (!facts.date.empty()) fields.emplace_back("date", facts.date);
    fields.emplace_back("cache-control", "no-cache");
    if (!trace.empty()) fields.emplace_back("x-request-id", trace);
    if (facts.status == 405) fields.emplace_back("allow", "POST");
    if (facts.retry_after != 0) fields.emplace_back("retry-after", retry);
    return submit_response(id, fields, !stream->content.empty());
}

std::size_t ServerSession::read_content(StreamId id, std::span<std::uint8_t> to,
                                        bool& last) noexcept {
    Stream* stream = find(id);
    last = true;
    if (stream == nullptr) return 0;
    const std::size_t size = std::min(to.size(), stream->content.size() - stream->sent);
    std::copy_n(stream->content.begin() + static_cast<std::ptrdiff_t>(stream->sent), size,
                to.begin());
    stream->sent += size;
    last = stream->sent == stream->content.size();
    return size;
}

void ServerSession::on_closed(StreamId id, ErrorCode) noexcept { streams_.erase(id); }

std::optional<ra::BootTime> ServerSession::receiving_since() const noexcept {
    std::optional<ra::BootTime> oldest;
    for (const auto& [id, stream] : streams_) {
        if (stream.whole) continue;
        if (!oldest || stream.begun < *oldest) oldest = stream.begun;
    }
    return oldest;
}

std::size_t ServerSession::time_out(ra::BootTime since, ra::BootTime now) {
    std::size_t late = 0;
    for (auto& [id, stream] : streams_) {
        if (stream.whole || stream.begun > since) continue;
        if (stream.answered) {
            reset(id, ErrorCode::no_error);  // answered, and still sending
        } else {
            refuse(id, stream, 408);
            stream.begun = now;
        }
        ++late;
    }
    return late;
}

}  // namespace transports::http2
