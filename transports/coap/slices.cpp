#include "transports/coap/slices.h"

#include <algorithm>
#include <bit>

namespace transports::coap {
namespace {

ra::Bytes etag_of(std::uint64_t number) {
    ra::Bytes etag(4);
    for (std::size_t i = 0; i < etag.size(); ++i)
        etag[i] = static_cast<std::uint8_t>(number >> (8 * i));
    return etag;
}

}  // namespace

std::uint8_t szx_within(std::size_t octets) noexcept {
    std::uint8_t szx = Block::kLargest;
    while (szx > 0 && Block{0, false, szx}.size() > octets) --szx;
    return szx;
}

bool slice(Response& response, const Content& content, std::optional<Block> wanted) {
    const std::size_t total = content.octets.size();
    const bool fits =
        total + kOverhead <= content.largest || total <= Block{0, false, content.szx}.size();
    if (!wanted && fits) {
        response.payload = content.octets;
        return true;
    }
    Block block = wanted.value_or(Block{});
    const std::size_t offset = block.offset();
    block.szx = std::min(block.szx, content.szx);
    const std::size_t number = offset / block.size();
    if ((offset != 0 && offset >= total) || number >= kMostBlocks) return false;
    block.number = static_cast<std::uint32_t>(number);
    response.payload = content.octets.subspan(offset, std::min(block.size(), total - offset));
    block.more = offset + response.payload.size() < total;
    response.block2 = block;
    if (block.number == 0) response.size2 = static_cast<std::uint32_t>(total);
    if (block.more || block.number != 0) response.etag = etag_of(content.number);
    return true;
}

std::size_t octets_of(const Response& response, std::size_t token) noexcept {
    // Before its value an option has an octet, and another where its number is far from the last.
    constexpr std::size_t kHead = 2;
    std::size_t octets = 4 + token;
    const auto number = [&octets](std::optional<std::uint32_t> value) {
        if (value) octets += kHead + (static_cast<unsigned>(std::bit_width(*value)) + 7U) / 8U;
    };
    const auto opaque = [&octets](std::size_t size, std::size_t head) {
        if (size != 0) octets += head + size;
    };
    number(response.content_format);
    number(response.observe);
    number(response.max_age);
    if (response.block1) number(response.block1->value());
    if (response.block2) number(response.block2->value());
    number(response.size1);
    number(response.size2);
    opaque(response.etag.size(), kHead);
    opaque(response.echo.size(), kHead);
    opaque(response.payload.size(), 1);
    return octets;
}

}  // namespace transports::coap
