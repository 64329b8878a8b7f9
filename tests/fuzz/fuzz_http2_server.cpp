#include <cstdlib>

#include "transports/http2/server_session.h"

/// The server's side of HTTP/2: octets behind the client's preface. First octet: how many each read
/// brings. Whatever comes, streams and what we say stay bounded.

using transports::http2::ServerSession;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    static const std::vector<std::string> kAliases{"/pkix/"};
    static const std::string kPaths = "paths";
    transports::http2::ServerLimits limits;
    limits.max_body = 4096;
    ServerSession server{limits, kAliases, kPaths};
    const ra::BootTime now{std::chrono::hours{1000}};
    const std::size_t piece = 1 + data[0] % 64;
    ra::ByteView octets{data + 1, size - 1};
    bool open = server.receive(ra::as_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), now);
    std::size_t said = 0;
    while (open && !octets.empty()) {
        const auto part = octets.first(std::min(piece, octets.size()));
        octets = octets.subspan(part.size());
        open = server.receive(part, now);
        for (auto& request : server.take_requests()) {
            if (request.body.size() > limits.max_body) std::abort();
            transports::http1::HeadFacts facts;
            facts.content_type = "application/pkixcmp";
            (void)server.respond(request.stream, facts, std::move(request.body));
        }
        for (ra::ByteView out = server.output(); !out.empty(); out = server.output())
            said += out.size();
        if (server.streams() > limits.max_streams) std::abort();
    }
    // An answer is its request's content and a header.
    if (said > 64 * size + 1024) std::abort();
    return 0;
}
