#include "transports/coap/pdus.h"

namespace transports::coap {
namespace {

std::uint32_t uint_of(ra::ByteView value) noexcept {
    return coap_decode_var_bytes(value.data(), value.size());
}

void read_option(std::uint16_t number, ra::ByteView value, Request& request) {
    switch (number) {
        case COAP_OPTION_URI_PATH:
            request.path.push_back(ra::as_text(value));
            break;
        case COAP_OPTION_CONTENT_FORMAT:
            request.content_format = uint_of(value);
            break;
        case COAP_OPTION_ACCEPT:
            request.accept = uint_of(value);
            break;
        case COAP_OPTION_OBSERVE:
            request.observe = uint_of(value);
            break;
        case COAP_OPTION_BLOCK1:
            request.block1 = Block::of(uint_of(value));
            break;
        case COAP_OPTION_BLOCK2:
            request.block2 = Block::of(uint_of(value));
            break;
        case COAP_OPTION_SIZE1:
            request.size1 = uint_of(value);
            break;
        case kEcho:
            request.echo = value;
            break;
        case kRequestTag:
            request.request_tag = value;
            break;
        default:
            break;
    }
}

bool add(coap_pdu_t* pdu, std::uint16_t number, ra::ByteView value) {
    return coap_add_option(pdu, number, value.size(), value.data()) != 0;
}

}  // namespace

void read_request(const coap_session_t* session, const coap_pdu_t* pdu, Request& request) {
    const coap_proto_t proto = coap_session_get_proto(session);
    request.reliable = proto == COAP_PROTO_TCP || proto == COAP_PROTO_TLS;
    request.confirmable = coap_pdu_get_type(pdu) == COAP_MESSAGE_CON;
    request.message_id = static_cast<std::uint16_t>(coap_pdu_get_mid(pdu));
    const coap_bin_const_t token = coap_pdu_get_token(pdu);
    request.token = {token.s, token.length};
    request.code = static_cast<Code>(coap_pdu_get_code(pdu));
    request.largest = coap_session_max_pdu_size(session);
    request.octets = 4 + token.length;
    coap_opt_iterator_t options;
    coap_option_iterator_init(pdu, &options, COAP_OPT_ALL);
    while (const coap_opt_t* option = coap_option_next(&options)) {
        const ra::ByteView value{coap_opt_value(option), coap_opt_length(option)};
        request.octets += 1 + value.size();
        read_option(options.number, value, request);
    }
    std::size_t size = 0;
    const std::uint8_t* data = nullptr;
    if (coap_get_data(pdu, &size, &data) != 0) request.payload = {data, size};
    if (size != 0) request.octets += 1 + size;
}

bool add_uint(coap_pdu_t* pdu, std::uint16_t number, std::uint32_t value) {
    std::uint8_t buffer[4];
    const unsigned size = coap_encode_var_safe(buffer, sizeof buffer, value);
    return add(pdu, number, {buffer, size});
}

bool write_response(const Response& response, coap_pdu_t* pdu) {
    coap_pdu_set_code(pdu, static_cast<coap_pdu_code_t>(response.code));
    bool good = true;
    // In the order of their numbers.
    if (!response.etag.empty()) good = good && add(pdu, COAP_OPTION_ETAG, response.etag);
    const auto number = [&](std::uint16_t option, std::optional<std::uint32_t> value) {
        if (value) good = good && add_uint(pdu, option, *value);
    };
    number(COAP_OPTION_OBSERVE, response.observe);
    number(COAP_OPTION_CONTENT_FORMAT, response.content_format);
    number(COAP_OPTION_MAXAGE, response.max_age);
    if (response.block2) number(COAP_OPTION_BLOCK2, response.block2->value());
    if (response.block1) number(COAP_OPTION_BLOCK1, response.block1->value());
    number(COAP_OPTION_SIZE2, response.size2);
    number(COAP_OPTION_SIZE1, response.size1);
    if (!response.echo.empty()) good = good && add(pdu, kEcho, response.echo);
    if (!response.payload.empty())
        good = good && coap_add_data(pdu, response.payload.size(), response.payload.data()) != 0;
    return good;
}

}  // namespace transports::coap
