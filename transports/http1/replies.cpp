#include "transports/http1/replies.h"

#include <algorithm>

#include "transports/http1/paths.h"

namespace transports::http1 {

std::string describe_paths(const std::vector<std::string>& aliases,
                           const std::vector<std::string>& labels) {
    std::string text = "This is a CMP server (RFC 9811). POST a PKIMessage as " +
                       std::string{kMediaType} + " to one of\n";
    std::vector<std::string> bases{std::string{kWellKnown}};
    bases.insert(bases.end(), aliases.begin(), aliases.end());
    for (const std::string& base : bases) {
        (text += "  ") += base;
        for (const std::string& label : labels) {
            (text += "\n  ") += render_path(base, label, ra::Operation::unspecified);
        }
        text += '\n';
    }
    text += "each optionally followed by /<operation>: ";
    for (auto operation = ra::Operation::ir; operation <= ra::Operation::nested;
         operation = static_cast<ra::Operation>(static_cast<int>(operation) + 1)) {
        if (operation != ra::Operation::ir) text += ", ";
        text += operation_label(operation);
    }
    text += '\n';
    return text;
}

ra::ByteView map_reply(const ra::Reply& reply, const std::string& known_paths, HeadFacts& facts) {
    if (const auto* answered = std::get_if<ra::Answer>(&reply)) {
        facts.status = 200;
        facts.content_type = kMediaType;
        return answered->der;
    }
    if (const auto* accepted = std::get_if<ra::Accepted>(&reply)) {
        facts.status = accepted->stored ? 201 : 202;
        return {};
    }
    if (const auto* overloaded = std::get_if<ra::Overloaded>(&reply)) {
        facts.status = 503;
        facts.retry_after =
            static_cast<unsigned>(std::max<std::int64_t>(1, overloaded->retry_after.count()));
        return {};
    }
    const auto& not_cmp = std::get<ra::NotCmp>(reply);
    const bool wrong_path = not_cmp.why == ra::NotCmp::Why::wrong_path;
    facts.status = wrong_path ? 404 : 400;
    if (!not_cmp.der.empty()) {
        facts.content_type = kMediaType;
        return not_cmp.der;
    }
    if (!wrong_path) return {};
    facts.content_type = kPlainText;
    return ra::as_bytes(known_paths);
}

}  // namespace transports::http1
