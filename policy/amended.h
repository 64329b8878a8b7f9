#pragma once

#include <optional>
#include <string>

#include "policy/amend.h"
#include "policy/pattern_match.h"
#include "policy/stages.h"

namespace policy {

/// A request as policy completed or corrected it: what goes upstream instead, and what the
/// certificate is compared with.
struct Amended {
    BodyType type{};  // ir or cr: an amended p10cr becomes cr
    ra::Bytes body;   // TLV: one CertReqMsg, popo raVerified
};

/// What a permitted ir, cr or p10cr under the treatment raverified becomes; nullopt where nothing
/// is to be amended, or the request says already what it should: then the device's own POP goes up
/// . The public key never changes. Refuses (rule "amend") where a template has no value.
[[nodiscard]] Judged<std::optional<Amended>> amend(const ProvenRequest& request, ra::WallTime now);

/// A template with the sender's values in it; nullopt: the sender has not exactly one of each.
[[nodiscard]] std::optional<std::string> fill(const ValuePattern& form, const Sender& sender);
/// Name TLV. Also nullopt: a value that its attribute's string type cannot hold.
[[nodiscard]] std::optional<ra::Bytes> fill_name(const NamePattern& form, const Sender& sender);
/// GeneralName TLVs, one after another. Also nullopt: what is no DNS name, or not ASCII.
[[nodiscard]] std::optional<ra::Bytes> fill_alt_names(const Amendments& amend,
                                                      const Sender& sender);

}  // namespace policy
