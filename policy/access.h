#pragma once

#include "policy/stages.h"

namespace policy {

/// Makes the stages; included only by the functions that do the checking they stand for.
class Access {
public:
    static ProfiledMessage profiled(ra::cmp::ParsedMessage parsed, ProfilePtr profile) {
        return {std::move(parsed), std::move(profile)};
    }
    static AuthenticMessage authentic(ProfiledMessage profiled, Origin origin) {
        return {std::move(profiled), std::move(origin)};
    }
    static ProvenRequest proven(AuthenticMessage authentic, Body body) {
        return {std::move(authentic), std::move(body)};
    }
};

}  // namespace policy
