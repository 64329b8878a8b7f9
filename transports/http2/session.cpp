#include "transports/http2/session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <span>
#include <stdexcept>

namespace transports::http2 {

bool Budget::spend(double tokens, ra::BootTime now) noexcept {
    const std::chrono::duration<double> passed = now - since_;
    since_ = now;
    tokens_ = std::min(kMost, tokens_ + std::max(0.0, passed.count()) * kASecond) - tokens;
    return tokens_ >= 0;
}

void Budget::earn(double tokens) noexcept { tokens_ = std::min(kMost, tokens_ + tokens); }

namespace {

constexpr double kControlFrame = 1;
constexpr double kReset = 10;  // a stream begun for nothing
constexpr double kEmptyData = 2;
constexpr double kInvalid = 50;

double price_of(const nghttp2_frame& frame) noexcept {
    switch (frame.hd.type) {
        case NGHTTP2_DATA:
            return frame.hd.length == 0 && (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0
                       ? kEmptyData
                       : 0;
        case NGHTTP2_HEADERS:
            return kControlFrame;
        case NGHTTP2_RST_STREAM:
            return kReset;
        default:
            return kControlFrame;
    }
}

nghttp2_nv as_nv(std::string_view name, std::string_view value) noexcept {
    // nghttp2 copies both; its type has no const form.
    const auto octets = [](std::string_view text) {
        return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
    };
    return {octets(name), octets(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::vector<nghttp2_nv> as_nvs(const Fields& fields) {
    std::vector<nghttp2_nv> all;
    all.reserve(fields.size());
    for (const auto& [name, value] : fields) all.push_back(as_nv(name, value));
    return all;
}

}  // namespace

/// What nghttp2 calls. `of`: the session behind its user data.
struct Session::Callbacks {
    static Session& of(void* user) noexcept { return *static_cast<Session*>(user); }
    static std::string_view text(const std::uint8_t* octets, std::size_t size) noexcept {
        return {reinterpret_cast<const char*>(octets), size};
    }

    static int spend(Session& self, double tokens) noexcept {
        if (tokens == 0 || self.budget_.spend(tokens, self.now_)) return 0;
        nghttp2_session_terminate_session(self.native(), NGHTTP2_ENHANCE_YOUR_CALM);
        return 0;
    }

    static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
        const bool taken = of(user).on_headers_begin(frame->hd.stream_id);
        return taken ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                         std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                         std::uint8_t, void* user) noexcept {
        const bool taken =
            of(user).on_header(frame->hd.stream_id, text(name, name_size), text(value, value_size));
        return taken ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    static int on_data(nghttp2_session*, std::uint8_t, StreamId stream, const std::uint8_t* octets,
                       std::size_t size, void* user) noexcept {
        Session& self = of(user);
        if (!self.on_data(stream, {octets, size})) self.reset(stream, ErrorCode::cancel);
        return 0;
    }
    static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
        Session& self = of(user);
        const StreamId stream = frame->hd.stream_id;
        const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        bool good = true;
        if (frame->hd.type == NGHTTP2_HEADERS) {
            good = self.on_headers_end(stream, last);
        } else if (frame->hd.type == NGHTTP2_DATA && last) {
            good = self.on_data_end(stream);
        } else if (frame->hd.type == NGHTTP2_GOAWAY) {
            self.on_go_away(frame->goaway.last_stream_id);
        }
        if (!good) self.reset(stream, ErrorCode::protocol_error);
        return spend(self, price_of(*frame));
    }
    static int on_invalid(nghttp2_session*, const nghttp2_frame*, int, void* user) noexcept {
        return spend(of(user), kInvalid);
    }
    static int on_stream_close(nghttp2_session*, StreamId stream, std::uint32_t code,
                               void* user) noexcept {
        of(user).on_closed(stream, static_cast<ErrorCode>(code));
        return 0;
    }
    static int before_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
        if (frame->hd.type == NGHTTP2_HEADERS) of(user).on_header_sent(frame->hd.stream_id);
        return 0;
    }
    static ssize_t read(nghttp2_session*, StreamId stream, std::uint8_t* to, std::size_t size,
                        std::uint32_t* flags, nghttp2_data_source*, void* user) noexcept {
        bool last = false;
        const std::size_t copied = of(user).read_content(stream, {to, size}, last);
        if (last) *flags |= NGHTTP2_DATA_FLAG_EOF;
        return static_cast<ssize_t>(copied);
    }

    static nghttp2_session_callbacks* make() {
        nghttp2_session_callbacks* all = nullptr;
        if (nghttp2_session_callbacks_new(&all) != 0) throw std::bad_alloc{};
        nghttp2_session_callbacks_set_on_begin_headers_callback(all, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(all, on_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(all, on_data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(all, on_frame);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(all, on_invalid);
        nghttp2_session_callbacks_set_on_stream_close_callback(all, on_stream_close);
        nghttp2_session_callbacks_set_before_frame_send_callback(all, before_frame);
        return all;
    }
    static nghttp2_option* options() {
        nghttp2_option* option = nullptr;
        if (nghttp2_option_new(&option) != 0) throw std::bad_alloc{};
        // Acknowledgements that a peer makes us queue and does not read.
        nghttp2_option_set_max_outbound_ack(option, 100);
        nghttp2_option_set_max_settings(option, 16);
        // Closed streams are of use only to priorities.
        nghttp2_option_set_no_closed_streams(option, 1);
        return option;
    }
};

void Session::Deleter::operator()(nghttp2_session* session) const noexcept {
    nghttp2_session_del(session);
}

Session::Session(Side side, const Settings& settings) {
    static const nghttp2_session_callbacks* const callbacks = Callbacks::make();
    static const nghttp2_option* const option = Callbacks::options();
    nghttp2_session* made = nullptr;
    const int result = side == Side::server
                           ? nghttp2_session_server_new2(&made, callbacks, this, option)
                           : nghttp2_session_client_new2(&made, callbacks, this, option);
    if (result != 0) throw std::bad_alloc{};
    session_.reset(made);
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, side == Side::server ? settings.max_streams : 0},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, settings.max_header_list},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, settings.window},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };
    // A server may not say ENABLE_PUSH 1, and need not say 0.
    const std::size_t count = side == Side::server ? 3 : 4;
    nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, entries, count);
    nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0,
                                          static_cast<std::int32_t>(settings.connection_window));
}

Session::~Session() = default;

bool Session::receive(ra::ByteView octets, ra::BootTime now) {
    now_ = now;
    const ssize_t taken = nghttp2_session_mem_recv(native(), octets.data(), octets.size());
    if (taken < 0) failed_ = true;
    return !over();
}

ra::ByteView Session::output() {
    const std::uint8_t* octets = nullptr;
    const ssize_t size = nghttp2_session_mem_send(native(), &octets);
    if (size < 0) failed_ = true;
    return size <= 0 ? ra::ByteView{} : ra::ByteView{octets, static_cast<std::size_t>(size)};
}

bool Session::over() const noexcept {
    return failed_ ||
           (nghttp2_session_want_read(native()) == 0 && nghttp2_session_want_write(native()) == 0);
}

void Session::notify_shutdown() { nghttp2_submit_shutdown_notice(native()); }

void Session::go_away(ErrorCode code) {
    nghttp2_submit_goaway(native(), NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(native()),
                          static_cast<std::uint32_t>(code), nullptr, 0);
}

void Session::reset(StreamId stream, ErrorCode code) {
    nghttp2_submit_rst_stream(native(), NGHTTP2_FLAG_NONE, stream,
                              static_cast<std::uint32_t>(code));
}

bool Session::submit_response(StreamId stream, const Fields& fields, bool content) {
    const auto nvs = as_nvs(fields);
    const nghttp2_data_provider provider{{.ptr = nullptr}, Callbacks::read};
    return nghttp2_submit_response(native(), stream, nvs.data(), nvs.size(),
                                   content ? &provider : nullptr) == 0;
}

StreamId Session::submit_request(const Fields& fields, bool content) {
    const auto nvs = as_nvs(fields);
    const nghttp2_data_provider provider{{.ptr = nullptr}, Callbacks::read};
    return nghttp2_submit_request(native(), nullptr, nvs.data(), nvs.size(),
                                  content ? &provider : nullptr, nullptr);
}

void Session::submit_interim(StreamId stream, const Fields& fields) {
    const auto nvs = as_nvs(fields);
    nghttp2_submit_headers(native(), NGHTTP2_FLAG_NONE, stream, nullptr, nvs.data(), nvs.size(),
                           nullptr);
}

}  // namespace transports::http2
