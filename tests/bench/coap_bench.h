#pragma once

#include <cstdint>
#include <string>

#include "ra/app/bench/messages.h"

/// What the figures of CoAP are taken with: two servers that are compared, and what loads them.
/// Nobody of them ends by itself, unless that is said: they are sent a signal.
namespace bench {

/// An ir of at most `octets`, with as many certificates as that takes, protected in looks only.
[[nodiscard]] ra::app::bench::Template large_request(std::size_t octets);
/// The ip that answers it, of as many octets.
[[nodiscard]] ra::app::bench::Template large_answer(std::size_t octets);

/// What to compare with: libcoap and nothing else. POST …/cmp is answered with its body (blocks are
/// the library's business), GET …/cmp/ann with nothing, and may be observed.
struct EchoSettings {
    std::string certificate, key;  // PEM files; DTLS, if given
    std::string psk;               // everybody's pre-shared key; DTLS, if given
    unsigned sessions = 4000;      // idle ones, kept for `idle` seconds
    unsigned idle = 60;
};
[[noreturn]] void serve_echo(const EchoSettings& settings);

/// The gateway's CoAP listener, one worker, an opaque profile, and an upstream in the same process
/// that answers at once with an ip of `octets`.
[[noreturn]] void serve_gateway(std::size_t octets);

/// libcoap's client, each session with one request at a time.
struct CoapLoad {
    std::uint16_t port = 0;
    unsigned sessions = 16;
    unsigned requests = 1000;
    std::size_t octets = 2867;
};
struct CoapLoaded {
    std::size_t octets = 0;  // of a request
    unsigned answers = 0;
    unsigned errors = 0;
    std::string first_error;
};
/// Ends when everything has its answer, or nothing came for a while. Throws std::runtime_error.
[[nodiscard]] CoapLoaded load_coap(const CoapLoad& settings);

/// DTLS 1.2 with P-256 and AES-GCM, one association after the other.
struct DtlsLoad {
    std::uint16_t port = 0;
    unsigned handshakes = 100;
    std::string identity, psk;  // else the server shows a certificate, which is not looked at
    unsigned tries = 3;         // the second after a second, the third after two more
    /// Each asks for /.well-known/core and stays until standard input ends.
    bool hold = false;
};
/// Throws std::runtime_error where one of them fails.
void load_dtls(const DtlsLoad& settings);

}  // namespace bench
