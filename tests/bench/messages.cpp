#include "tests/bench/messages.h"

#include <algorithm>
#include <stdexcept>

#include "ra/cmp/build.h"
#include "tests/support/pki.h"

namespace bench {
namespace {

using namespace ra;

Template::Id mark(std::uint8_t octet) {
    Template::Id id;
    id.fill(octet);
    return id;
}

std::size_t find(const Bytes& der, const Template::Id& id) {
    const auto at = std::search(der.begin(), der.end(), id.begin(), id.end());
    return at == der.end() ? SIZE_MAX : static_cast<std::size_t>(at - der.begin());
}

/// Around `body`, protected in looks only.
Template message(ByteView body, std::string_view sender, bool answer, bool implicit_confirm,
                 ByteView extra_certs) {
    constexpr std::size_t kSignature = 71;
    const test::Pki& pki = test::Pki::get();
    const Bytes name = cmp::general_name(crypto::name_of(sender));
    const Template::Id transaction = Template::transaction_mark(), nonce = Template::sender_mark(),
                       recip = Template::recip_mark();
    const Bytes kid(20, 0x4b);
    cmp::HeaderFields fields;
    fields.sender = name;
    fields.recipient = name;
    fields.message_time = test::Pki::kNow;
    fields.protection_alg = pki.root_key->algorithm();
    fields.sender_kid = kid;
    fields.transaction_id = transaction;
    fields.sender_nonce = nonce;
    if (answer) fields.recip_nonce = recip;
    fields.implicit_confirm = implicit_confirm;
    return Template{cmp::build_pki_message(cmp::build_header(fields), body, Bytes(kSignature, 0x3c),
                                           extra_certs)};
}

constexpr std::string_view kDevice = "CN=bench device,OU=Load,O=Example";
constexpr std::string_view kCa = "CN=Test CA,O=Example";

}  // namespace

Template::Id Template::transaction_mark() { return mark(0xa5); }
Template::Id Template::sender_mark() { return mark(0xb6); }
Template::Id Template::recip_mark() { return mark(0xc7); }

Template::Template(Bytes der)
    : der_{std::move(der)},
      transaction_at_{find(der_, transaction_mark())},
      sender_at_{find(der_, sender_mark())},
      recip_at_{find(der_, recip_mark())} {
    if (transaction_at_ == kNowhere || sender_at_ == kNowhere)
        throw std::logic_error("a template without the marks of its ids");
}

Template opaque_ir(bool implicit_confirm) {
    return message(test::Pki::get().devices.at(0).request, kDevice, false, implicit_confirm, {});
}

Template opaque_cert_conf() {
    return message(cmp::build_cert_conf_body(Bytes(32, 0x2d), 0), kDevice, true, false, {});
}

Template opaque_ip(bool implicit_confirm) {
    const test::Pki& pki = test::Pki::get();
    const Bytes body = cmp::build_cert_rep_body(
        cmp::BodyType::ip, 0, cmp::build_status_info(cmp::PKIStatus::accepted, std::nullopt, {}),
        pki.devices.at(0).issued, {});
    return message(body, kCa, true, implicit_confirm, pki.responder->extra_certs());
}

Template opaque_pkiconf() { return message(cmp::build_pkiconf_body(), kCa, true, false, {}); }

}  // namespace bench
