#include "tests/support/messages.h"

namespace test {

using namespace ra;

Bytes build_message(const Envelope& envelope, ByteView body) {
    cmp::HeaderFields fields;
    const Bytes own_name = envelope.credential ? envelope.credential->sender() : envelope.sender;
    fields.sender = own_name;
    fields.message_time = envelope.time;
    fields.sender_kid = envelope.sender_kid;
    if (envelope.credential) {
        fields.protection_alg = envelope.credential->key->algorithm();
        fields.sender_kid = envelope.credential->sender_kid();
    }
    fields.transaction_id = envelope.transaction_id;
    fields.sender_nonce = envelope.sender_nonce;
    fields.recip_nonce = envelope.recip_nonce;
    fields.implicit_confirm = envelope.implicit_confirm;
    const Bytes header = cmp::build_header(fields);
    if (envelope.credential) return crypto::protect(*envelope.credential, header, body).value();
    return cmp::build_pki_message(header, body, {}, {});
}

Envelope answer_to(const cmp::PKIMessage& request, Random& random, WallTime now,
                   crypto::CredentialPtr credential) {
    Envelope made;
    made.credential = std::move(credential);
    made.time = now;
    made.transaction_id = to_bytes(request.header.transaction_id.value_or(ByteView{}));
    made.recip_nonce = to_bytes(request.header.sender_nonce.value_or(ByteView{}));
    made.sender_nonce = random.octets(16);
    return made;
}

}  // namespace test
