#pragma once

#include "transports/coap/libcoap.h"
#include "transports/coap/message.h"

/// Between the library's messages and ours.
namespace transports::coap {

inline constexpr std::uint16_t kEcho = 252;  // RFC 9175 2.2.1
inline constexpr std::uint16_t kRequestTag = 292;

/// All but `from` and `validated`. Views are the PDU's.
void read_request(const coap_session_t* session, const coap_pdu_t* pdu, Request& request);

/// Options and payload of `response`; the token stands already. False: there was no room.
[[nodiscard]] bool write_response(const Response& response, coap_pdu_t* pdu);

/// Puts an unsigned option in its shortest form (RFC 7252 3.2).
[[nodiscard]] bool add_uint(coap_pdu_t* pdu, std::uint16_t number, std::uint32_t value);

}  // namespace transports::coap
