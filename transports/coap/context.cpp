#include "transports/coap/context.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <system_error>

#include "transports/coap/libcoap.h"

namespace transports::coap {

namespace {

// Datagrams of one socket taken before others on the thread have their turn; sockets at a time.
constexpr int kBatch = 64;
constexpr int kEvents = 10;

void start_library() {
    static std::once_flag once;
    std::call_once(once, [] {
        coap_startup();
        // It has nothing to say that an operator could use: faults come as results and events.
        coap_set_log_level(static_cast<coap_log_t>(0));
        coap_dtls_set_log_level(static_cast<coap_log_t>(0));
        coap_set_log_handler([](coap_log_t, const char*) {});
    });
}

std::string text_of(const std::string& address, std::uint16_t port) {
    const bool v6 = address.find(':') != std::string::npos;
    return (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

coap_address_t address_of(const std::string& address, std::uint16_t port) {
    coap_address_t made;
    coap_address_init(&made);
    const std::string& numeric = address == "localhost" ? std::string{"127.0.0.1"} : address;
    if (inet_pton(AF_INET, numeric.c_str(), &made.addr.sin.sin_addr) == 1) {
        made.size = sizeof(sockaddr_in);
        made.addr.sin.sin_family = AF_INET;
        made.addr.sin.sin_port = htons(port);
    } else if (inet_pton(AF_INET6, numeric.c_str(), &made.addr.sin6.sin6_addr) == 1) {
        made.size = sizeof(sockaddr_in6);
        made.addr.sin6.sin6_family = AF_INET6;
        made.addr.sin6.sin6_port = htons(port);
    } else {
        throw std::runtime_error(address + " is no numeric address");
    }
    return made;
}

/// Binds as the library will, but so that a port somebody has is refused.
void probe(const coap_address_t& address, bool datagrams, const std::string& text) {
    const int type = (datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC;
    const int descriptor = ::socket(address.addr.sa.sa_family, type, 0);
    if (descriptor < 0) throw std::system_error{errno, std::generic_category(), "socket"};
    const int on = 1;
    // Connections of a server that has just ended are no server.
    if (!datagrams) ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const int off = 0;
    if (address.addr.sa.sa_family == AF_INET6)
        ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    const int bound = ::bind(descriptor, &address.addr.sa, address.size);
    const int fault = errno;
    ::close(descriptor);
    if (bound != 0)
        throw std::runtime_error("cannot listen on " + text + ": " +
                                 std::generic_category().message(fault));
}

/// The port in the library's description of an endpoint, "127.0.0.1:5683 udp".
std::uint16_t port_of(const coap_endpoint_t* endpoint) {
    const std::string_view text = coap_endpoint_str(endpoint);
    const auto colon = text.rfind(':');
    std::uint16_t port = 0;
    if (colon != std::string_view::npos)
        std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
    return port;
}

}  // namespace

/// The library's epoll descriptor, a copy of it, watched by the worker.
struct Context::Watch : std::enable_shared_from_this<Watch> {
    Watch(common::Worker& worker, int copy, Context& of)
        : descriptor{worker.executor()}, context{&of} {
        descriptor.assign(copy);
    }
    void await() {
        descriptor.async_wait(common::Worker::Descriptor::wait_read,
                              [self = shared_from_this()](boost::system::error_code error) {
                                  if (error || self->context == nullptr) return;
                                  self->context->pump();
                                  if (self->context != nullptr) self->await();
                              });
    }
    common::Worker::Descriptor descriptor;
    Context* context;
};

Context::Context(common::Worker& worker) : worker_{worker} {
    start_library();
    {
        const common::BorrowerWatch watch;
        context_ = coap_new_context(nullptr);
        borrowers_ = watch.found();
    }
    if (context_ == nullptr) throw std::runtime_error("libcoap: no context");
    // Blocks are the desk's business (desk.h): it bounds them and sends nobody more than is due.
    coap_context_set_block_mode(context_, 0);
    const int copy = ::dup(coap_context_get_coap_fd(context_));
    if (copy < 0) {
        coap_free_context(context_);
        throw std::system_error{errno, std::generic_category(), "dup"};
    }
    watch_ = std::make_shared<Watch>(worker_, copy, *this);
    watch_->await();
}

Context::~Context() {
    watch_->context = nullptr;
    boost::system::error_code ignored;
    watch_->descriptor.close(ignored);
    coap_free_context(context_);
}

/// What coap_io_process() does, without setting the timer and looking through all sessions twice
/// for each datagram.
void Context::pump() {
    for (int i = 0; i < kBatch; ++i) {
        std::array<epoll_event, kEvents> ready;
        const int count =
            ::epoll_wait(watch_->descriptor.native_handle(), ready.data(), kEvents, 0);
        if (count <= 0) return;
        coap_io_do_epoll(context_, ready.data(), static_cast<std::size_t>(count));
        if (between_) between_();
    }
}

void Context::arm() {
    coap_tick_t now = 0;
    coap_ticks(&now);
    (void)coap_io_prepare_epoll(context_, now);
}

Context::Bound Context::listen(const std::string& address, std::uint16_t port, Protocol protocol) {
    const std::string text = text_of(address, port);
    const coap_address_t at = address_of(address, port);
    probe(at, !is_reliable(protocol), text);
    const coap_endpoint_t* endpoint = coap_new_endpoint(context_, &at, proto_of(protocol));
    if (endpoint == nullptr) throw std::runtime_error("cannot listen on " + text);
    Bound bound;
    bound.port = port_of(endpoint);
    bound.text = text_of(address, bound.port);
    return bound;
}

}  // namespace transports::coap
