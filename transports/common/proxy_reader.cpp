#include "transports/common/proxy_reader.h"

#include <boost/asio/error.hpp>

#include "transports/common/proxy_header.h"

namespace transports::common {

namespace asio = boost::asio;

namespace {

/// Fills `into` behind its first `have` octets.
asio::awaitable<bool> read_exactly(PlainStream& stream, ra::Bytes& into, std::size_t have) {
    while (have < into.size()) {
        error_code error;
        have += stream.try_read(std::span{into}.subspan(have), error);
        if (error && error != asio::error::would_block) co_return false;
        if (have == into.size()) break;
        const Ready ready = co_await stream.wait_read();
        if (ready != Ready::ready) co_return false;
    }
    co_return true;
}

}  // namespace

asio::awaitable<bool> read_proxy_header(PlainStream& stream, ra::BootTime until) {
    stream.expires_at(until);
    ra::Bytes header(kProxyHeadOctets);
    bool whole = co_await read_exactly(stream, header, 0);
    if (!whole) co_return false;
    const auto size = proxy_header_size(header);
    if (!size) co_return false;
    header.resize(*size);
    whole = co_await read_exactly(stream, header, kProxyHeadOctets);
    if (!whole) co_return false;
    auto parsed = parse_proxy_header(header);
    if (!parsed) co_return false;
    if (parsed->proxied) stream.facts() = std::move(parsed->peer);
    co_return true;
}

}  // namespace transports::common
