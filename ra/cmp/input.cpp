#include "ra/cmp/input.h"

#include <algorithm>

#include "ra/asn1/der_reader.h"

namespace ra::cmp {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::uint8_t kSequence = 0x30;

bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

int digit(char c) noexcept {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    if (c == '/') return 63;
    return -1;
}

/// RFC 4648 4, white space ignored; `offset` is the place of `text` in the file.
Result<Bytes> decode_base64(std::string_view text, std::size_t offset) {
    Bytes octets;
    octets.reserve(text.size() / 4 * 3);
    std::uint32_t bits = 0;
    unsigned held = 0;
    std::size_t digits = 0;
    std::size_t padding = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_space(text[i])) continue;
        if (text[i] == '=') {
            ++padding;
            continue;
        }
        const int value = digit(text[i]);
        if (value < 0 || padding != 0) return fail(Errc::bad_value, "base64", offset + i);
        bits = (bits << 6U) | static_cast<std::uint32_t>(value);
        held += 6;
        ++digits;
        if (held >= 8) {
            held -= 8;
            octets.push_back(static_cast<std::uint8_t>(bits >> held));
        }
    }
    const bool whole = (digits + padding) % 4 == 0 && padding <= 2;
    if (!whole || digits == 0) return fail(Errc::truncated, "base64", offset + text.size());
    return octets;
}

Result<void> split_der(ByteView octets, std::vector<Bytes>& messages) {
    asn1::DerReader reader{octets};
    while (!reader.at_end()) {
        RA_TRY(const asn1::Tlv tlv, reader.read_tlv(asn1::Tag::sequence, "PKIMessage"));
        messages.push_back(to_bytes(tlv.whole));
    }
    if (messages.empty()) return fail(Errc::missing, "PKIMessage");
    return boost::system::in_place_value;
}

/// What stands between a BEGIN line and its END line, for each block; text around them is ignored.
Result<void> read_pem(std::string_view text, std::vector<Bytes>& messages) {
    std::size_t begin = text.find(kBegin);
    while (begin != std::string_view::npos) {
        const std::size_t body = text.find('\n', begin);
        if (body == std::string_view::npos) return fail(Errc::truncated, "PEM", begin);
        const std::size_t end = text.find(kEnd, body);
        if (end == std::string_view::npos) return fail(Errc::truncated, "PEM", begin);
        RA_TRY(const Bytes octets, decode_base64(text.substr(body, end - body), body));
        RA_TRY_VOID(split_der(octets, messages));
        begin = text.find(kBegin, end);
    }
    return boost::system::in_place_value;
}

}  // namespace

Result<std::vector<Bytes>> read_messages(const Bytes& file) {
    std::vector<Bytes> messages;
    if (file.empty()) return fail(Errc::missing, "file");
    const std::string_view text = as_text(file);
    if (text.find(kBegin) != std::string_view::npos && file[0] != kSequence) {
        RA_TRY_VOID(read_pem(text, messages));
        return messages;
    }
    // '0' is 30 hex and a base64 digit as well: base64 is told by all its characters.
    const bool printable = std::all_of(
        text.begin(), text.end(), [](char c) { return is_space(c) || c == '=' || digit(c) >= 0; });
    if (!printable) {
        RA_TRY_VOID(split_der(file, messages));
        return messages;
    }
    RA_TRY(const Bytes octets, decode_base64(text, 0));
    RA_TRY_VOID(split_der(octets, messages));
    return messages;
}

}  // namespace ra::cmp
