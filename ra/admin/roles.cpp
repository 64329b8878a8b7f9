#include "ra/admin/roles.h"

#include <algorithm>

namespace ra::admin {

std::string_view to_string(Role role) noexcept {
    switch (role) {
        case Role::view:
            return "view";
        case Role::approve:
            return "approve";
        case Role::secrets:
            return "secrets";
        case Role::config:
            break;
    }
    return "config";
}

Roles LocalRoles::of(std::uint32_t uid, const std::vector<std::uint32_t>& gids) const {
    if (uid == 0 || uid == own_uid_) return Roles::all();
    Roles roles;
    for (const Grant& grant : users_) {
        if (grant.id == uid) roles.add(grant.role);
    }
    for (const Grant& grant : groups_) {
        if (std::find(gids.begin(), gids.end(), grant.id) != gids.end()) roles.add(grant.role);
    }
    return roles;
}

}  // namespace ra::admin
