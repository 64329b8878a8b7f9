#include <arpa/inet.h>
#include <coap3/coap.h>

#include <charconv>
#include <iostream>
#include <memory>
#include <stdexcept>

#include "tests/bench/coap_bench.h"

namespace bench {
namespace {

constexpr std::uint16_t kPkixCmp = 259;

void release(coap_session_t*, void* body) { delete static_cast<ra::Bytes*>(body); }

void on_post(coap_resource_t* resource, coap_session_t* session, const coap_pdu_t* request,
             const coap_string_t* query, coap_pdu_t* response) {
    std::size_t size = 0, offset = 0, total = 0;
    const std::uint8_t* data = nullptr;
    if (coap_get_data_large(request, &size, &data, &offset, &total) == 0 || size != total) {
        coap_pdu_set_code(response, COAP_RESPONSE_CODE_BAD_REQUEST);
        return;
    }
    auto body = std::make_unique<ra::Bytes>(data, data + size);
    coap_pdu_set_code(response, COAP_RESPONSE_CODE_CHANGED);
    ra::Bytes* const kept = body.release();  // the library calls release() whatever becomes of it
    coap_add_data_large_response(resource, session, request, response, query, kPkixCmp, -1, 0,
                                 kept->size(), kept->data(), release, kept);
}

void on_get(coap_resource_t*, coap_session_t*, const coap_pdu_t*, const coap_string_t*,
            coap_pdu_t* response) {
    coap_pdu_set_code(response, COAP_RESPONSE_CODE_CONTENT);
}

void secure(coap_context_t* context, const EchoSettings& settings) {
    bool good = true;
    if (!settings.psk.empty()) {
        coap_dtls_spsk_t psk{};
        psk.version = COAP_DTLS_SPSK_SETUP_VERSION;
        psk.psk_info.key.s = ra::as_bytes(settings.psk).data();
        psk.psk_info.key.length = settings.psk.size();
        good = coap_context_set_psk2(context, &psk) == 1;
    }
    if (!settings.certificate.empty()) {
        coap_dtls_pki_t pki{};
        pki.version = COAP_DTLS_PKI_SETUP_VERSION;
        pki.pki_key.key_type = COAP_PKI_KEY_PEM;
        pki.pki_key.key.pem.public_cert = settings.certificate.c_str();
        pki.pki_key.key.pem.private_key = settings.key.c_str();
        good = good && coap_context_set_pki(context, &pki) == 1;
    }
    if (!good) throw std::runtime_error("libcoap takes neither key nor certificate");
}

void add_resource(coap_context_t* context, const char* path, coap_request_t method,
                  coap_method_handler_t handler) {
    coap_resource_t* const resource = coap_resource_init(coap_make_str_const(path), 0);
    coap_register_request_handler(resource, method, handler);
    coap_resource_set_get_observable(resource, method == COAP_REQUEST_GET);
    coap_add_resource(context, resource);
}

/// "127.0.0.1:5683 udp": the number.
std::string port_of(const coap_endpoint_t* endpoint) {
    const std::string text = coap_endpoint_str(endpoint);
    const auto at = text.rfind(':') + 1;
    return text.substr(at, text.find(' ', at) - at);
}

}  // namespace

void serve_echo(const EchoSettings& settings) {
    coap_startup();
    coap_set_log_level(static_cast<coap_log_t>(0));
    coap_context_t* const context = coap_new_context(nullptr);
    if (context == nullptr) throw std::runtime_error("libcoap: no context");
    coap_context_set_block_mode(context, COAP_BLOCK_USE_LIBCOAP | COAP_BLOCK_SINGLE_BODY);
    coap_context_set_max_idle_sessions(context, settings.sessions);
    coap_context_set_session_timeout(context, settings.idle);
    const bool secured = !settings.psk.empty() || !settings.certificate.empty();
    if (secured) secure(context, settings);
    add_resource(context, ".well-known/cmp", COAP_REQUEST_POST, on_post);
    add_resource(context, ".well-known/cmp/ann", COAP_REQUEST_GET, on_get);

    coap_address_t address;
    coap_address_init(&address);
    address.size = sizeof(sockaddr_in);
    address.addr.sin.sin_family = AF_INET;
    address.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const coap_endpoint_t* const endpoint =
        coap_new_endpoint(context, &address, secured ? COAP_PROTO_DTLS : COAP_PROTO_UDP);
    if (endpoint == nullptr) throw std::runtime_error("libcoap does not listen");
    std::cout << "listening on " << port_of(endpoint) << std::endl;
    for (;;) coap_io_process(context, COAP_IO_WAIT);
}

}  // namespace bench
