#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <vector>

#include "tests/bench/coap_bench.h"

namespace bench {
namespace {

constexpr std::chrono::seconds kPatience{10};
// CON, GET /.well-known/core.
constexpr std::string_view kGetCore{
    "\x40\x01\x12\x34\xbb.well-known\x04"
    "core",
    21};

struct ContextFree {
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
using ContextPtr = std::unique_ptr<SSL_CTX, ContextFree>;

[[noreturn]] void fail(const std::string& what) {
    char text[256] = "no answer";
    if (const unsigned long code = ERR_get_error(); code != 0)
        ERR_error_string_n(code, text, sizeof text);
    throw std::runtime_error(what + ": " + text);
}

unsigned show_psk(SSL* ssl, const char*, char* identity, unsigned identity_size, std::uint8_t* key,
                  unsigned key_size) {
    const auto& settings =
        *static_cast<const DtlsLoad*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    if (settings.identity.size() >= identity_size || settings.psk.size() > key_size) return 0;
    std::strcpy(identity, settings.identity.c_str());
    std::copy(settings.psk.begin(), settings.psk.end(), key);
    return static_cast<unsigned>(settings.psk.size());
}

ContextPtr make_context(const DtlsLoad& settings) {
    ContextPtr context{SSL_CTX_new(DTLS_client_method())};
    SSL_CTX_set_app_data(context.get(), const_cast<DtlsLoad*>(&settings));
    SSL_CTX_set_min_proto_version(context.get(), DTLS1_2_VERSION);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set1_groups_list(context.get(), "P-256");
    const bool with_psk = !settings.psk.empty();
    if (with_psk) SSL_CTX_set_psk_client_callback(context.get(), show_psk);
    if (SSL_CTX_set_cipher_list(context.get(), with_psk ? "PSK-AES128-GCM-SHA256"
                                                        : "ECDHE-ECDSA-AES128-GCM-SHA256") != 1)
        fail("ciphers");
    return context;
}

/// One association, from a port of its own.
class Association {
public:
    Association(SSL_CTX* context, std::uint16_t port) : ssl_{SSL_new(context)} {
        descriptor_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0)
            throw std::runtime_error("connect");
        BIO* const bio = BIO_new_dgram(descriptor_, BIO_NOCLOSE);
        BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &to);
        SSL_set_bio(ssl_, bio, bio);
    }
    Association(Association&& other) noexcept
        : ssl_{std::exchange(other.ssl_, nullptr)},
          descriptor_{std::exchange(other.descriptor_, -1)} {}
    Association& operator=(Association&&) = delete;
    ~Association() {
        if (ssl_ == nullptr) return;
        SSL_shutdown(ssl_);  // tells the server
        SSL_free(ssl_);
        ::close(descriptor_);
    }

    void shake_hands(unsigned tries) {
        for (int result = 0; (result = SSL_connect(ssl_)) != 1;) {
            if (SSL_get_error(ssl_, result) != SSL_ERROR_WANT_READ) fail("handshake");
            timeval left{1, 0};
            DTLSv1_get_timeout(ssl_, &left);
            if (comes_within(std::chrono::seconds{left.tv_sec} +
                             std::chrono::microseconds{left.tv_usec}))
                continue;
            if (--tries == 0) fail("handshake");
            DTLSv1_handle_timeout(ssl_);
        }
    }
    void ask_for_core() {
        char answer[1500];
        if (SSL_write(ssl_, kGetCore.data(), kGetCore.size()) != kGetCore.size()) fail("request");
        if (!comes_within(kPatience)) fail("answer");
        const int got = SSL_read(ssl_, answer, sizeof answer);
        if (got < 4 || answer[1] != '\x45') fail("answer");  // 2.05
    }

private:
    [[nodiscard]] bool comes_within(std::chrono::microseconds time) const {
        pollfd wanted{descriptor_, POLLIN, 0};
        const auto up = std::chrono::ceil<std::chrono::milliseconds>(time);
        return ::poll(&wanted, 1, static_cast<int>(up.count())) == 1;
    }

    SSL* ssl_;
    int descriptor_ = -1;
};

}  // namespace

void load_dtls(const DtlsLoad& settings) {
    const ContextPtr context = make_context(settings);
    std::vector<Association> held;
    for (unsigned i = 0; i < settings.handshakes; ++i) {
        Association association{context.get(), settings.port};
        association.shake_hands(settings.tries);
        if (!settings.hold) continue;
        association.ask_for_core();
        held.push_back(std::move(association));
    }
    std::cout << (settings.hold ? "holding" : "done") << std::endl;
    while (settings.hold && std::cin.get() != std::istream::traits_type::eof()) {
    }
}

}  // namespace bench
