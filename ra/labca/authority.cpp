#include "ra/labca/authority.h"

#include <algorithm>
#include <stdexcept>

#include "ra/asn1/oids.h"
#include "ra/cmp/oids.h"

namespace ra::labca {
namespace {

constexpr std::uint16_t kDigitalSignature = 1U << 0U;
constexpr std::uint16_t kKeyCertSign = 1U << 5U;
constexpr std::uint16_t kCrlSign = 1U << 6U;
constexpr std::size_t kSerialOctets = 16;
/// A client's clock may be a little behind ours.
constexpr auto kBackdate = std::chrono::minutes{5};

crypto::CertificatePtr parse(Result<Bytes> der) {
    if (!der) throw std::runtime_error("lab CA: cannot sign a certificate");
    auto certificate = crypto::Certificate::parse(*der);
    if (!certificate) throw std::runtime_error("lab CA: made a certificate that does not parse");
    return *certificate;
}

}  // namespace

Authority::Authority(const Settings& settings, const Clock& clock, Random& random)
    : clock_{clock},
      random_{random},
      validity_{settings.validity},
      crl_validity_{settings.crl_validity} {
    if (settings.ca_certificate.empty() != settings.ca_key.empty())
        throw std::runtime_error("lab CA: certificate and key go together");
    if (settings.ca_key.empty()) {
        make_ca(settings);
    } else {
        key_ = crypto::PrivateKey::load(settings.ca_key);
        ca_ = crypto::load_certificates(settings.ca_certificate).front();
        if (!crypto::same_public_key(ca_->view().spki, key_->spki())) {
            throw std::runtime_error(settings.ca_certificate + " and " + settings.ca_key +
                                     " do not belong together");
        }
        if (!ca_->is_ca() || !ca_->subject_key_id()) {
            throw std::runtime_error(settings.ca_certificate +
                                     ": not a CA certificate with subjectKeyIdentifier");
        }
    }
    make_responder(settings);
}

void Authority::make_ca(const Settings& settings) {
    key_ = crypto::PrivateKey::generate(settings.key_kind);
    const Bytes name = crypto::name_of(settings.name);
    Bytes extensions = crypto::basic_constraints_extension(true);
    append(extensions, crypto::key_usage_extension(kDigitalSignature | kKeyCertSign | kCrlSign));
    append(extensions, crypto::subject_key_id_extension(key_->spki()));
    const Bytes number = serial();
    const WallTime now = clock_.wall_now();
    ca_ = parse(crypto::build_certificate(
        {number, name, name, now - kBackdate, now + settings.ca_validity, key_->spki(), extensions},
        *key_));
}

void Authority::make_responder(const Settings& settings) {
    auto made = std::make_shared<crypto::Credential>();
    made->name = "lab CA";
    made->key = crypto::PrivateKey::generate(settings.key_kind);
    Bytes extensions = crypto::basic_constraints_extension(false);
    append(extensions, crypto::key_usage_extension(kDigitalSignature));
    append(extensions, crypto::ext_key_usage_extension({cmp::oid::kCmcCa.view()}));
    append(extensions, crypto::subject_key_id_extension(made->key->spki()));
    append(extensions, crypto::authority_key_id_extension(*ca_->subject_key_id()));
    const Bytes name = crypto::name_of(settings.responder);
    const Bytes number = serial();
    made->certificate = parse(
        crypto::build_certificate({number, ca_->subject(), name, clock_.wall_now() - kBackdate,
                                   ca_->view().not_after, made->key->spki(), extensions},
                                  *key_));
    made->chain = {made->certificate};
    responder_ = std::move(made);
}

Bytes Authority::random_octets(std::size_t count) {
    const std::lock_guard lock{random_lock_};
    return random_.octets(count);
}

Bytes Authority::serial() {
    Bytes octets = random_octets(kSerialOctets);
    // Positive, and minimal whatever follows.
    octets[0] = static_cast<std::uint8_t>((octets[0] & 0x3fU) | 0x40U);
    return octets;
}

Checked<Authority::Granted> Authority::issue(const Wanted& wanted) {
    const WallTime now = clock_.wall_now();
    const WallTime earliest = std::max<WallTime>(now - kBackdate, ca_->view().not_before);
    const WallTime latest = std::min(now + validity_, ca_->view().not_after);
    const WallTime from = std::max(wanted.validity.not_before.value_or(earliest), earliest);
    const WallTime until = std::min(wanted.validity.not_after.value_or(latest), latest);
    if (until <= from || until <= now)
        return Refused{cmp::PKIFailureInfo::badCertTemplate, "validity out of the CA's"};

    Granted granted;
    granted.with_mods = wanted.left_out || from != wanted.validity.not_before.value_or(from) ||
                        until != wanted.validity.not_after.value_or(until);
    granted.serial = serial();
    Bytes extensions = crypto::basic_constraints_extension(false);
    if (!wanted.has_key_usage) append(extensions, crypto::key_usage_extension(kDigitalSignature));
    append(extensions, crypto::subject_key_id_extension(wanted.spki));
    append(extensions, crypto::authority_key_id_extension(*ca_->subject_key_id()));
    append(extensions, wanted.extensions);
    auto certificate = crypto::build_certificate(
        {granted.serial, ca_->subject(), wanted.subject, from, until, wanted.spki, extensions},
        *key_);
    if (!certificate) return Refused{cmp::PKIFailureInfo::systemFailure, "signing failed"};
    granted.certificate = std::move(*certificate);
    return granted;
}

Result<Bytes> Authority::crl(const std::vector<crypto::RevokedEntry>& revoked,
                             std::uint64_t number) const {
    const WallTime now = clock_.wall_now();
    return crypto::build_crl(ca_->subject(), now, now + crl_validity_, revoked, number,
                             *ca_->subject_key_id(), *key_);
}

}  // namespace ra::labca
