#include "ra/cmp/inspect.h"

#include <algorithm>

#include "ra/cmp/fields.h"
#include "ra/cmp/inspect_tree.h"

namespace ra::cmp {
namespace tree {
namespace {

bool is_text(ByteView octets) {
    return !octets.empty() && std::all_of(octets.begin(), octets.end(), [](std::uint8_t octet) {
        return octet >= 0x20 && octet < 0x7f;
    });
}

object shown(const PKIHeader& from) {
    object made{{"pvno", from.pvno},
                {"sender", general_name(from.sender)},
                {"recipient", general_name(from.recipient)}};
    if (from.message_time) made["messageTime"] = time(*from.message_time);
    if (from.protection_alg) made["protectionAlg"] = algorithm(*from.protection_alg);
    const auto octets = [&made](std::string_view key, const std::optional<ByteView>& view) {
        if (view) made[key] = hex(*view);
    };
    octets("senderKID", from.sender_kid);
    // With a MAC it is the reference of the secret, which people know as text.
    if (from.sender_kid && is_text(*from.sender_kid)) {
        made["senderKIDText"] = text(as_text(*from.sender_kid));
    }
    octets("recipKID", from.recip_kid);
    octets("transactionID", from.transaction_id);
    octets("senderNonce", from.sender_nonce);
    octets("recipNonce", from.recip_nonce);
    if (from.free_text) made["freeText"] = texts(free_texts(*from.free_text));
    if (from.general_info) {
        array list;
        asn1::DerReader reader{*from.general_info};
        while (!reader.at_end()) {
            const auto one = read_info(reader);
            if (!one.has_value()) break;
            list.push_back(info(*one));
        }
        made["generalInfo"] = std::move(list);
    }
    return made;
}

array extra_certs(const PKIMessage& from) {
    array list;
    asn1::DerReader reader{from.extra_certs};
    while (!reader.at_end()) {
        const auto one = reader.read_any("extraCerts");
        if (!one.has_value()) break;
        list.push_back(certificate(one->whole));
    }
    return list;
}

}  // namespace

object message(const PKIMessage& from, const Limits& limits) {
    object made{{"octets", from.whole.size()}, {"header", shown(from.header)}};
    made["body"] = object{{std::string{to_string(from.type)}, body(from, limits)}};
    if (from.protection) made["protection"] = blob(*from.protection);
    if (from.extra_certs_count != 0) made["extraCerts"] = extra_certs(from);
    if (array found = hints(from, limits); !found.empty()) made["hints"] = std::move(found);
    return made;
}

}  // namespace tree

std::string inspect_text(const PKIMessage& message, const Limits& limits) {
    return tree::print(tree::message(message, limits));
}

std::string inspect_json(const PKIMessage& message, const Limits& limits) {
    return boost::json::serialize(tree::message(message, limits));
}

}  // namespace ra::cmp
