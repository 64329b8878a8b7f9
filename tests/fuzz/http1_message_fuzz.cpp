#include <cstdlib>

#include "transports/http1/request_reader.h"
#include "transports/http1/response_reader.h"
#include "transports/http1/url.h"

/// HTTP/1 readers, paths and URLs. First octet: how many octets each read brings. What is read must
/// not depend on where the reads cut it.

using transports::http1::RequestReader;
using transports::http1::ResponseReader;
using transports::http1::Stage;

namespace {

constexpr std::size_t kMaxBody = 4096;

template <class Reader>
Stage feed_all(Reader& reader, ra::ByteView octets, std::size_t piece) {
    Stage stage = Stage::need_more;
    while (!octets.empty() && stage == Stage::need_more) {
        const auto part = octets.first(std::min(piece, octets.size()));
        stage = reader.feed(part);
        octets = octets.subspan(part.size());
    }
    return stage;
}

void require(bool holds) {
    if (!holds) std::abort();
}

template <class Reader>
void compare(Reader& whole, Reader& pieces, ra::ByteView octets, std::size_t piece) {
    const Stage at_once = feed_all(whole, octets, octets.size());
    const Stage in_pieces = feed_all(pieces, octets, piece);
    // Limits may strike earlier in one than in the other; a message read by both is the same.
    if (at_once != Stage::done || in_pieces != Stage::done) return;
    const ra::Bytes body = whole.take_body();
    require(body == pieces.take_body());
    require(body.size() <= kMaxBody);
    require(whole.keep_alive() == pieces.keep_alive());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t piece = 1 + data[0] % 64;
    const ra::ByteView octets{data + 1, size - 1};
    const std::vector<std::string> aliases{"/", "/pkix/"};

    RequestReader request{8192, kMaxBody, aliases};
    RequestReader request_in_pieces{8192, kMaxBody, aliases};
    compare(request, request_in_pieces, octets, piece);

    ResponseReader response{8192, kMaxBody};
    ResponseReader response_in_pieces{8192, kMaxBody};
    compare(response, response_in_pieces, octets, piece);
    (void)response.feed_end();

    const auto path = transports::http1::parse_path(ra::as_text(octets), aliases);
    if (path) {
        const auto again = transports::http1::parse_path(
            transports::http1::render_path(transports::http1::kWellKnown, path->label,
                                           path->operation),
            {});
        require(again && again->label == path->label && again->operation == path->operation);
    }
    (void)transports::http1::parse_http_url(ra::as_text(octets));
    return 0;
}
