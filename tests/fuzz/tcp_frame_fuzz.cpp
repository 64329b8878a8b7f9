#include <algorithm>
#include <cstdlib>

#include "transports/tcp/frame.h"

/// Frames of CMP over TCP. First octet: how many octets each read brings. What is read must not
/// depend on where the reads cut it, nor take more than one frame.

using transports::tcp::FrameReader;

namespace {

constexpr std::size_t kMaxValue = 4096;

FrameReader::Stage feed_all(FrameReader& reader, ra::ByteView octets, std::size_t piece,
                            std::size_t& used) {
    auto stage = FrameReader::Stage::need_more;
    while (used < octets.size() && stage == FrameReader::Stage::need_more) {
        const std::size_t offered = std::min(piece, octets.size() - used);
        ra::ByteView part = octets.subspan(used, offered);
        stage = reader.feed(part);
        used += offered - part.size();
    }
    return stage;
}

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t piece = 1 + data[0] % 16U;
    const ra::ByteView octets{data + 1, size - 1};
    FrameReader whole{kMaxValue};
    FrameReader pieces{kMaxValue};
    std::size_t used_whole = 0;
    std::size_t used_pieces = 0;
    const auto at_once = feed_all(whole, octets, octets.size(), used_whole);
    const auto in_pieces = feed_all(pieces, octets, piece, used_pieces);
    require(at_once == in_pieces);
    require(used_whole == used_pieces);
    require(whole.frame().value == pieces.frame().value);
    require(whole.frame().value.size() <= kMaxValue);
    (void)transports::tcp::read_poll_rep(whole.frame().value);
    (void)transports::tcp::read_poll_req(whole.frame().value);
    (void)transports::tcp::read_error(whole.frame());
    return 0;
}
