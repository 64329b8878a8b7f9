#include "ra/gateway/cert_req_id.h"

#include <vector>

namespace ra::gateway {
namespace {

using asn1::DerReader;
using asn1::Tag;
using cmp::BodyType;

/// Contents of the certReqId INTEGERs in SEQUENCE OF SEQUENCE { [certHash,] certReqId, … }.
void find_ids(DerReader list, bool behind_hash, std::vector<ByteView>& found) {
    while (!list.at_end()) {
        const auto item = list.read(Tag::sequence, "certReqId");
        if (!item) return;
        DerReader fields = list.inside(*item);
        if (behind_hash && !fields.read(Tag::octet_string, "certHash")) return;
        const auto id = fields.read_big_integer("certReqId");
        if (!id) return;
        found.push_back(*id);
    }
}

std::vector<ByteView> cert_req_ids(const cmp::PKIMessage& message) {
    std::vector<ByteView> found;
    DerReader outer{message.content};
    const auto content = outer.read(Tag::sequence, "body");
    if (!content) return found;
    DerReader reader = outer.inside(*content);
    if (cmp::is_cert_response(message.type)) {
        (void)reader.read_optional(asn1::context(1), "caPubs");
        const auto responses = reader.read(Tag::sequence, "response");
        if (responses) find_ids(reader.inside(*responses), false, found);
        return found;
    }
    find_ids(reader, message.type == BodyType::certConf, found);
    return found;
}

}  // namespace

Bytes with_cert_req_id(const cmp::PKIMessage& message, std::int8_t id) {
    Bytes body = to_bytes(message.body);
    switch (message.type) {
        case BodyType::certConf:
        case BodyType::pollReq:
        case BodyType::pollRep:
        case BodyType::cp:
            break;
        default:
            return body;
    }
    for (const ByteView one : cert_req_ids(message)) {
        if (one.size() != 1) continue;
        body[static_cast<std::size_t>(one.data() - message.body.data())] =
            static_cast<std::uint8_t>(id);
    }
    return body;
}

}  // namespace ra::gateway
