#include "ra/app/audit_chain.h"

#include "ra/admin/admin.h"

namespace ra::app {

namespace {

constexpr std::string_view kMacName = ",\"mac\":\"";
constexpr std::size_t kMacDigits = 64;
constexpr std::string_view kEnd = "\"}";

}  // namespace

std::string AuditChain::begin(std::string_view time, std::string_view previous) {
    mac_ = {};
    return line(time, "begin", ",\"previous\":" + admin::json_text(previous));
}

std::string AuditChain::line(std::string_view time, std::string_view kind,
                             std::string_view fields) {
    std::string text = "{\"seq\":" + std::to_string(++number_);
    (text += ",\"node\":") += admin::json_text(node_);
    ((text += ",\"boot\":\"") += boot_) += "\",\"time\":\"";
    (((text += time) += "\",\"kind\":\"") += kind) += '"';
    text += fields;
    mac_ = crypto::hmac_sha256(key_, mac_, as_bytes(text));
    ((text += kMacName) += to_hex(mac_)) += kEnd;
    return text += '\n';
}

std::string checkpoint_text(std::string_view node, std::string_view boot, std::uint64_t number,
                            std::string_view mac) {
    std::string text = "cmpgate audit checkpoint\n";
    ((text += node) += '\n') += boot;
    (((text += '\n') += std::to_string(number)) += '\n') += mac;
    return text;
}

std::string_view body_of_line(std::string_view line) noexcept {
    const std::size_t tail = kMacName.size() + kMacDigits + kEnd.size();
    if (line.size() < tail || !line.ends_with(kEnd)) return {};
    const std::size_t size = line.size() - tail;
    return line.substr(size, kMacName.size()) == kMacName ? line.substr(0, size)
                                                          : std::string_view{};
}

std::string_view mac_of_line(std::string_view line) noexcept {
    const std::string_view body = body_of_line(line);
    return body.empty() ? std::string_view{}
                        : line.substr(body.size() + kMacName.size(), kMacDigits);
}

}  // namespace ra::app
