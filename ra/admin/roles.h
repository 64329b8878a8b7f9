#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace ra::admin {

/// What somebody may do here (S-40). Each is given by itself, but `view`, which the others bring.
enum class Role : std::uint8_t {
    view,     // metrics, health, what there is
    approve,  // held requests
    secrets,  // enrolment secrets
    config,   // reload and what changes the gateway
};
inline constexpr std::array<Role, 4> kRoles{Role::view, Role::approve, Role::secrets, Role::config};
[[nodiscard]] std::string_view to_string(Role role) noexcept;

/// A set of roles.
class Roles {
public:
    constexpr Roles() = default;
    constexpr Roles(std::initializer_list<Role> roles) noexcept {
        for (const Role role : roles) add(role);
    }
    [[nodiscard]] static constexpr Roles all() noexcept {
        return {Role::view, Role::approve, Role::secrets, Role::config};
    }

    constexpr void add(Role role) noexcept {
        bits_ = static_cast<std::uint8_t>(bits_ | bit(role) | bit(Role::view));
    }
    constexpr void add(Roles other) noexcept {
        bits_ = static_cast<std::uint8_t>(bits_ | other.bits_);
    }
    [[nodiscard]] constexpr bool has(Role role) const noexcept { return (bits_ & bit(role)) != 0; }
    [[nodiscard]] constexpr bool empty() const noexcept { return bits_ == 0; }
    friend constexpr bool operator==(Roles, Roles) = default;

private:
    static constexpr std::uint8_t bit(Role role) noexcept {
        return static_cast<std::uint8_t>(1U << static_cast<unsigned>(role));
    }
    std::uint8_t bits_ = 0;
};

/// Who may connect over the Unix socket as what: by user and by group. Root and the user the
/// gateway runs as may do everything: they can read its memory anyway.
class LocalRoles {
public:
    explicit LocalRoles(std::uint32_t own_uid) noexcept : own_uid_{own_uid} {}

    void grant_user(std::uint32_t uid, Role role) { users_.push_back({uid, role}); }
    void grant_group(std::uint32_t gid, Role role) { groups_.push_back({gid, role}); }

    [[nodiscard]] Roles of(std::uint32_t uid, const std::vector<std::uint32_t>& gids) const;
    /// Somebody besides root and ourselves may connect.
    [[nodiscard]] bool any() const noexcept { return !users_.empty() || !groups_.empty(); }

private:
    struct Grant {
        std::uint32_t id;
        Role role;
    };
    std::uint32_t own_uid_;
    std::vector<Grant> users_, groups_;
};

}  // namespace ra::admin
