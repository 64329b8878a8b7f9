#include "ra/store/rows.h"

#include "ra/store/packing.h"

namespace ra::store {

using gateway::Record;
using gateway::State;
using gateway::TransactionKey;

namespace {

constexpr std::uint8_t kOpen = 1, kFinished = 2;  // forms of a transaction
constexpr std::uint8_t kOrphan = 1, kSecret = 1, kCertifiedKey = 1, kRevoked = 1;
// Flags of a transaction.
constexpr std::uint8_t kImplicitConfirm = 1, kVerified = 2, kHasUse = 4, kHasPayer = 8,
                       kSentAsCr = 16, kParked = 32;
// Of a secret.
constexpr std::uint8_t kGenerated = 1, kLocked = 2, kExpires = 4, kCounted = 8;

void pack_key(Packer& packer, const TransactionKey& key) {
    packer.octets(key.principal.digest).octets(key.transaction_id);
}

bool unpack_digest(Unpacker& from, crypto::Sha256& digest) {
    const ByteView octets = from.octets();
    if (octets.size() != digest.size()) return false;
    std::memcpy(digest.data(), octets.data(), digest.size());
    return true;
}

bool unpack_key(Unpacker& from, TransactionKey& key) {
    if (!unpack_digest(from, key.principal.digest)) return false;
    key.transaction_id = to_bytes(from.octets());
    return from.good();
}

ByteView octets_of(const std::shared_ptr<const Bytes>& octets) {
    return octets != nullptr ? ByteView{*octets} : ByteView{};
}

std::shared_ptr<const Bytes> kept(ByteView octets) {
    return octets.empty() ? nullptr : std::make_shared<const Bytes>(to_bytes(octets));
}

ByteView der_of(const crypto::CertificatePtr& certificate) {
    return certificate != nullptr ? certificate->der() : ByteView{};
}

bool unpack_certificate(Unpacker& from, crypto::CertificatePtr& certificate) {
    const ByteView der = from.octets();
    if (der.empty()) return true;
    auto parsed = crypto::Certificate::parse(der);
    if (!parsed) return false;
    certificate = std::move(*parsed);
    return true;
}

bool is_state(std::uint8_t state) noexcept {
    return state <= static_cast<std::uint8_t>(State::finished);
}

bool unpack_open(Unpacker& from, Record& record, std::uint8_t flags, const StoreTime& time) {
    record.request = kept(from.octets());
    record.profile = from.text();
    record.upstream = from.text();
    record.operation = static_cast<Operation>(from.number<std::uint8_t>());
    record.label = from.text();
    record.ee_nonce = to_bytes(from.octets());
    record.first_nonce = to_bytes(from.octets());
    record.ca_nonce = to_bytes(from.octets());
    record.cert_req_id = from.signed_number();
    if (!unpack_certificate(from, record.signer) || !unpack_certificate(from, record.responder))
        return false;
    const auto treatment = from.number<std::uint8_t>();
    if (treatment > static_cast<std::uint8_t>(policy::Treatment::raverified)) return false;
    record.treatment = static_cast<policy::Treatment>(treatment);
    record.sent_as_cr = (flags & kSentAsCr) != 0;
    if (!unpack_digest(from, record.credential) || !unpack_digest(from, record.answer_credential))
        return false;
    record.url = from.number<std::uint8_t>();
    record.expires = time.boot(from.signed_number());
    if ((flags & kParked) != 0) record.parked_nonce = to_bytes(from.octets());
    if ((flags & kHasUse) == 0) return true;
    gateway::SecretUse& use = record.secret_use.emplace();
    if (!unpack_digest(from, use.reference)) return false;
    use.generation = from.number<std::uint64_t>();
    const auto fate = from.number<std::uint8_t>();
    use.fate = static_cast<gateway::SecretUse::Fate>(fate);
    return fate <= static_cast<std::uint8_t>(gateway::SecretUse::Fate::returned);
}

}  // namespace

Bytes pack_transaction(const TransactionKey& key, const Record& record, const StoreTime& time) {
    const bool finished = record.state == State::finished;
    const int flags = (record.implicit_confirm_requested ? kImplicitConfirm : 0) |
                      (record.verified ? kVerified : 0) | (record.secret_use ? kHasUse : 0) |
                      (record.payer ? kHasPayer : 0) | (record.sent_as_cr ? kSentAsCr : 0) |
                      (record.parked_nonce.empty() ? 0 : kParked);
    Packer packer;
    packer.number(finished ? kFinished : kOpen);
    pack_key(packer, key);
    packer.number(static_cast<std::uint8_t>(flags));
    if (record.payer) packer.octets(record.payer->digest);
    packer.number(static_cast<std::uint8_t>(record.state))
        .number(static_cast<std::uint8_t>(record.request_type))
        .octets(record.request_digest)
        .signed_number(time.of(record.remember_until))
        .octets(octets_of(record.answer));
    if (finished) return packer.take();
    packer.octets(octets_of(record.request))
        .text(record.profile)
        .text(record.upstream)
        .number(static_cast<std::uint8_t>(record.operation))
        .text(record.label)
        .octets(record.ee_nonce)
        .octets(record.first_nonce)
        .octets(record.ca_nonce)
        .signed_number(record.cert_req_id)
        .octets(der_of(record.signer))
        .octets(der_of(record.responder))
        .number(static_cast<std::uint8_t>(record.treatment))
        .octets(record.credential)
        .octets(record.answer_credential)
        .number(record.url)
        .signed_number(time.of(record.expires));
    if (!record.parked_nonce.empty()) packer.octets(record.parked_nonce);
    if (record.secret_use) {
        packer.octets(record.secret_use->reference)
            .number(record.secret_use->generation)
            .number(static_cast<std::uint8_t>(record.secret_use->fate));
    }
    return packer.take();
}

std::optional<TransactionRow> unpack_transaction(ByteView octets, const StoreTime& time) {
    Unpacker from{octets};
    TransactionRow row;
    Record& record = row.record;
    const auto form = from.number<std::uint8_t>();
    if ((form != kOpen && form != kFinished) || !unpack_key(from, row.key)) return std::nullopt;
    // Whom the bounds count it for, finished ones too (S-05).
    const auto flags = from.number<std::uint8_t>();
    record.implicit_confirm_requested = (flags & kImplicitConfirm) != 0;
    record.verified = (flags & kVerified) != 0;
    if ((flags & kHasPayer) != 0 && !unpack_digest(from, record.payer.emplace().digest))
        return std::nullopt;
    const auto state = from.number<std::uint8_t>();
    if (!is_state(state)) return std::nullopt;
    record.state = static_cast<State>(state);
    record.request_type = static_cast<cmp::BodyType>(from.number<std::uint8_t>());
    if (!unpack_digest(from, record.request_digest)) return std::nullopt;
    record.remember_until = time.boot(from.signed_number());
    record.answer = kept(from.octets());
    if (form == kOpen && !unpack_open(from, record, flags, time)) return std::nullopt;
    if (!from.complete()) return std::nullopt;
    return row;
}

Bytes pack_orphan(const TransactionKey& key, const Record& record, std::string_view why,
                  WallTime at) {
    Packer packer;
    packer.number(kOrphan);
    pack_key(packer, key);
    packer.signed_number(at.time_since_epoch().count())
        .text(why)
        .number(static_cast<std::uint8_t>(record.request_type))
        .text(record.upstream)
        .text(record.profile)
        .text(record.label)
        .octets(octets_of(record.request));
    return packer.take();
}

std::optional<Orphan> unpack_orphan(ByteView octets) {
    Unpacker from{octets};
    Orphan orphan;
    if (from.number<std::uint8_t>() != kOrphan || !unpack_key(from, orphan.key))
        return std::nullopt;
    orphan.at = WallTime{std::chrono::seconds{from.signed_number()}};
    orphan.why = from.text();
    orphan.request_type = static_cast<cmp::BodyType>(from.number<std::uint8_t>());
    orphan.upstream = from.text();
    orphan.profile = from.text();
    orphan.label = from.text();
    orphan.request = to_bytes(from.octets());
    if (!from.complete()) return std::nullopt;
    return orphan;
}

Bytes pack_secret(const SecretTable::Row& row, std::uint64_t epoch) {
    const gateway::NewSecret& secret = row.secret;
    const int flags = (secret.generated ? kGenerated : 0) | (row.locked ? kLocked : 0) |
                      (secret.expires ? kExpires : 0) | (secret.uses ? kCounted : 0);
    // Room for all of it, so that growing leaves no copies behind.
    Packer packer{128 + secret.reference.size() + secret.octets.reveal().size() +
                  secret.profile.size()};
    packer.number(kSecret)
        .number(epoch)
        .octets(secret.reference)
        .octets(secret.octets.reveal())
        .text(secret.profile)
        .signed_number(secret.created.time_since_epoch().count())
        .number(static_cast<std::uint8_t>(flags))
        .signed_number(secret.expires.value_or(WallTime{}).time_since_epoch().count())
        .number(secret.uses.value_or(0))
        .number(row.generation)
        .number(row.used);
    return packer.take();
}

std::optional<SecretRow> unpack_secret(ByteView octets) {
    Unpacker from{octets};
    SecretRow row;
    gateway::NewSecret& secret = row.row.secret;
    if (from.number<std::uint8_t>() != kSecret) return std::nullopt;
    row.epoch = from.number<std::uint64_t>();
    secret.reference = to_bytes(from.octets());
    secret.octets = Secret{to_bytes(from.octets())};
    secret.profile = from.text();
    secret.created = WallTime{std::chrono::seconds{from.signed_number()}};
    const auto flags = from.number<std::uint8_t>();
    const WallTime expires{std::chrono::seconds{from.signed_number()}};
    const auto uses = from.number<std::uint32_t>();
    if ((flags & kExpires) != 0) secret.expires = expires;
    if ((flags & kCounted) != 0) secret.uses = uses;
    secret.generated = (flags & kGenerated) != 0;
    row.row.locked = (flags & kLocked) != 0;
    row.row.generation = from.number<std::uint64_t>();
    row.row.used = from.number<std::uint32_t>();
    if (!from.complete()) return std::nullopt;
    return row;
}

Bytes pack_certified_key(const CertifiedKey& row) {
    Packer packer;
    packer.number(kCertifiedKey)
        .octets(row.key)
        .octets(row.holder.subject)
        .signed_number(row.holder.until.time_since_epoch().count())
        .number(static_cast<std::uint8_t>(row.holder.principals.size()));
    for (const policy::Principal& one : row.holder.principals) packer.octets(one.digest);
    return packer.take();
}

std::optional<CertifiedKey> unpack_certified_key(ByteView octets) {
    Unpacker from{octets};
    CertifiedKey row;
    if (from.number<std::uint8_t>() != kCertifiedKey || !unpack_digest(from, row.key) ||
        !unpack_digest(from, row.holder.subject))
        return std::nullopt;
    row.holder.until = WallTime{std::chrono::seconds{from.signed_number()}};
    const auto count = from.number<std::uint8_t>();
    if (count > policy::kMostKeyHolders) return std::nullopt;
    for (std::uint8_t i = 0; i < count; ++i) {
        if (!unpack_digest(from, row.holder.principals.emplace_back().digest)) return std::nullopt;
    }
    if (!from.complete()) return std::nullopt;
    return row;
}

Bytes pack_revoked(const Revoked& row) {
    return Packer{}
        .number(kRevoked)
        .octets(row.certificate)
        .signed_number(row.until.time_since_epoch().count())
        .take();
}

std::optional<Revoked> unpack_revoked(ByteView octets) {
    Unpacker from{octets};
    Revoked row;
    if (from.number<std::uint8_t>() != kRevoked || !unpack_digest(from, row.certificate))
        return std::nullopt;
    row.until = WallTime{std::chrono::seconds{from.signed_number()}};
    if (!from.complete()) return std::nullopt;
    return row;
}

}  // namespace ra::store
