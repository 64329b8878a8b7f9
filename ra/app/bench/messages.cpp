#include "ra/app/bench/messages.h"

#include <algorithm>
#include <stdexcept>

#include "ra/asn1/der_writer.h"
#include "ra/cmp/build.h"
#include "ra/crypto/digest.h"

namespace ra::app::bench {
namespace {

using cmp::BodyType;

constexpr std::string_view kDevice = "CN=bench device,OU=Load,O=Example";

Id filled(std::uint8_t octet) {
    Id id;
    id.fill(octet);
    return id;
}

/// ProofOfPossession ::= CHOICE { signature [1] POPOSigningKey, ... } (RFC 4211 4).
Bytes prove_possession(ByteView cert_request, const crypto::PrivateKey& key) {
    const auto signature = key.sign(cert_request);
    if (!signature) throw std::runtime_error("a proof of possession could not be signed");
    asn1::DerWriter writer;
    {
        auto choice = writer.open(asn1::context(1));
        writer.raw(key.algorithm());
        writer.bit_string(*signature);
    }
    return std::move(writer).take();
}

/// Body of an enrolment for a new key.
Bytes request_body(BodyType type, ByteView subject) {
    const auto key = crypto::PrivateKey::generate("ec:P-256");
    const Bytes request =
        cmp::build_cert_request(0, cmp::build_cert_template(subject, key->spki()));
    return cmp::build_cert_req_body(type, request, prove_possession(request, *key));
}

/// Around `body`, protected in looks only.
Template prebuilt(ByteView body, std::string_view sender, bool with_recip, bool implicit_confirm,
                  ByteView extra_certs = {}) {
    constexpr std::size_t kSignature = 71;
    const auto key = crypto::PrivateKey::generate("ec:P-256");
    const Bytes name = cmp::general_name(crypto::name_of(sender));
    const Id transaction = Template::transaction_mark(), nonce = Template::sender_mark(),
             recip = Template::recip_mark();
    const Bytes kid(20, 0x4b);
    cmp::HeaderFields fields;
    fields.sender = name;
    fields.recipient = name;
    fields.message_time = SystemClock{}.wall_now();
    fields.protection_alg = key->algorithm();
    fields.sender_kid = kid;
    fields.transaction_id = transaction;
    fields.sender_nonce = nonce;
    if (with_recip) fields.recip_nonce = recip;
    fields.implicit_confirm = implicit_confirm;
    return Template{cmp::build_pki_message(cmp::build_header(fields), body, Bytes(kSignature, 0x3c),
                                           extra_certs)};
}

class PrebuiltDevices final : public Devices {
public:
    PrebuiltDevices(BodyType type, bool implicit_confirm)
        : request_{prebuilt_request(type, implicit_confirm)},
          confirm_{prebuilt(cmp::build_cert_conf_body(Bytes(32, 0x2d), 0), kDevice, true, false)} {}

    Bytes request(std::size_t, const Ids& ids) const override {
        return request_.render(ids.transaction, ids.nonce, {});
    }
    Bytes confirm(std::size_t, const Ids& ids, ByteView recip, ByteView) const override {
        return confirm_.render(ids.transaction, ids.nonce, recip);
    }

private:
    Template request_, confirm_;
};

class SigningDevices final : public Devices {
public:
    SigningDevices(std::vector<crypto::CredentialPtr> credentials, BodyType type,
                   std::string_view subject, bool implicit_confirm)
        : credentials_{std::move(credentials)}, implicit_confirm_{implicit_confirm} {
        const Bytes same = subject.empty() ? Bytes{} : crypto::name_of(subject);
        for (const crypto::CredentialPtr& one : credentials_) {
            const ByteView own = one->certificate->subject();
            bodies_.push_back(request_body(type, same.empty() ? own : ByteView{same}));
        }
    }

    Bytes request(std::size_t number, const Ids& ids) const override {
        return protect(number, ids, {}, bodies_[number % bodies_.size()], implicit_confirm_);
    }
    Bytes confirm(std::size_t number, const Ids& ids, ByteView recip,
                  ByteView certificate) const override {
        const auto hash = crypto::cert_hash(certificate, std::nullopt);
        if (!hash) throw std::runtime_error("a certificate came whose hash is not known");
        return protect(number, ids, recip, cmp::build_cert_conf_body(*hash, 0), false);
    }

private:
    [[nodiscard]] Bytes protect(std::size_t number, const Ids& ids, ByteView recip, ByteView body,
                                bool implicit_confirm) const {
        const crypto::Credential& credential = *credentials_[number % credentials_.size()];
        const Bytes sender = credential.sender();
        cmp::HeaderFields fields;
        fields.sender = sender;
        fields.message_time = SystemClock{}.wall_now();
        fields.protection_alg = credential.key->algorithm();
        fields.sender_kid = credential.sender_kid();
        fields.transaction_id = ids.transaction;
        fields.sender_nonce = ids.nonce;
        fields.recip_nonce = recip;
        fields.implicit_confirm = implicit_confirm;
        auto made = crypto::protect(credential, cmp::build_header(fields), body);
        if (!made) throw std::runtime_error("a request could not be signed");
        return std::move(*made);
    }

    std::vector<crypto::CredentialPtr> credentials_;
    std::vector<Bytes> bodies_;  // one a credential
    bool implicit_confirm_;
};

}  // namespace

Id Template::transaction_mark() { return filled(0xa5); }
Id Template::sender_mark() { return filled(0xb6); }
Id Template::recip_mark() { return filled(0xc7); }

namespace {

constexpr std::size_t kNowhere = SIZE_MAX;

std::size_t place_of(const Bytes& der, const Id& id) {
    const auto at = std::search(der.begin(), der.end(), id.begin(), id.end());
    return at == der.end() ? kNowhere : static_cast<std::size_t>(at - der.begin());
}

void put(Bytes& der, std::size_t at, ByteView id) {
    if (at == kNowhere) return;
    std::copy_n(id.begin(), std::min(id.size(), Id{}.size()),
                der.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

Template::Template(Bytes der)
    : der_{std::move(der)},
      transaction_at_{place_of(der_, transaction_mark())},
      sender_at_{place_of(der_, sender_mark())},
      recip_at_{place_of(der_, recip_mark())} {
    if (transaction_at_ == kNowhere || sender_at_ == kNowhere)
        throw std::logic_error("a template without the marks of its ids");
}

Bytes Template::render(ByteView transaction_id, ByteView sender_nonce, ByteView recip_nonce) const {
    Bytes out = der_;
    put(out, transaction_at_, transaction_id);
    put(out, sender_at_, sender_nonce);
    put(out, recip_at_, recip_nonce);
    return out;
}

std::unique_ptr<Devices> prebuilt_devices(BodyType type, bool implicit_confirm) {
    return std::make_unique<PrebuiltDevices>(type, implicit_confirm);
}

std::unique_ptr<Devices> signing_devices(std::vector<crypto::CredentialPtr> credentials,
                                         BodyType type, std::string_view subject,
                                         bool implicit_confirm) {
    return std::make_unique<SigningDevices>(std::move(credentials), type, subject,
                                            implicit_confirm);
}

Template prebuilt_request(BodyType type, bool implicit_confirm, ByteView extra_certs) {
    return prebuilt(request_body(type, crypto::name_of(kDevice)), kDevice, false, implicit_confirm,
                    extra_certs);
}

Template prebuilt_answer(BodyType type, bool implicit_confirm, ByteView extra_certs) {
    const TestPki pki = TestPki::make();
    const auto key = crypto::PrivateKey::generate("ec:P-256");
    const Bytes body = cmp::build_cert_rep_body(
        type, 0, cmp::build_status_info(cmp::PKIStatus::accepted, std::nullopt, {}),
        issue(pki, crypto::name_of(kDevice), key->spki()), {});
    Bytes certificates = pki.responder->extra_certs();
    append(certificates, extra_certs);
    return prebuilt(body, "CN=Test CA,O=Example", true, implicit_confirm, certificates);
}

Template prebuilt_pkiconf() {
    return prebuilt(cmp::build_pkiconf_body(), "CN=Test CA,O=Example", true, false);
}

}  // namespace ra::app::bench
