#pragma once

#include <array>
#include <memory>

#include "ra/app/bench/test_pki.h"
#include "ra/cmp/message.h"

/// What the simulated devices and the test CA say.
namespace ra::app::bench {

using Id = std::array<std::uint8_t, 16>;

/// What makes one message different from the next.
struct Ids {
    Id transaction{};
    Id nonce{};
};

/// The messages of simulated devices. Any thread.
struct Devices {
    virtual ~Devices() = default;
    /// ir or cr of one of the devices; which one follows from `number`.
    [[nodiscard]] virtual Bytes request(std::size_t number, const Ids& ids) const = 0;
    /// certConf of `certificate`, as answer to an answer with the nonce `recip`.
    [[nodiscard]] virtual Bytes confirm(std::size_t number, const Ids& ids, ByteView recip,
                                        ByteView certificate) const = 0;
};

/// Made once, then only their ids change: for profiles that do not verify (origin = "opaque"), so
/// that neither load nor CA costs what the gateway costs.
[[nodiscard]] std::unique_ptr<Devices> prebuilt_devices(cmp::BodyType type, bool implicit_confirm);

/// Protected by the signature of one of `credentials`, each with a new key of its own whose
/// possession it proves. `subject`: what they ask for; empty: each its own. Throws
/// std::invalid_argument for what is no name.
[[nodiscard]] std::unique_ptr<Devices> signing_devices(
    std::vector<crypto::CredentialPtr> credentials, cmp::BodyType type, std::string_view subject,
    bool implicit_confirm);

/// A message whose ids are overwritten in place.
class Template {
public:
    /// `der` holds the marks below where the ids go. Throws std::logic_error where it does not.
    explicit Template(Bytes der);
    /// A copy with these ids; what the template has no place for is ignored.
    [[nodiscard]] Bytes render(ByteView transaction_id, ByteView sender_nonce,
                               ByteView recip_nonce) const;

    [[nodiscard]] std::size_t size() const noexcept { return der_.size(); }

    static Id transaction_mark();
    static Id sender_mark();
    static Id recip_mark();

private:
    Bytes der_;
    std::size_t transaction_at_, sender_at_, recip_at_;
};

/// One of prebuilt_devices(), larger by `extra_certs` (Certificate TLVs one after another).
[[nodiscard]] Template prebuilt_request(cmp::BodyType type, bool implicit_confirm,
                                        ByteView extra_certs = {});
/// The test CA's, in looks only: ip (cp) of about 1 KiB with one certificate, larger by
/// `extra_certs`, and pkiConf.
[[nodiscard]] Template prebuilt_answer(cmp::BodyType type, bool implicit_confirm,
                                       ByteView extra_certs = {});
[[nodiscard]] Template prebuilt_pkiconf();

}  // namespace ra::app::bench
