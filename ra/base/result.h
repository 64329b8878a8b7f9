#pragma once

#include <boost/system/result.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace ra {

/// What was wrong with octets, a key or a certificate.
enum class Errc : std::uint8_t {
    truncated,      // ends before the element does
    bad_tag,        // another element than the definition wants
    bad_length,     // indefinite, not minimal, or beyond what we accept
    trailing_data,  // octets after the last element
    bad_value,      // right tag, content not allowed
    missing,        // a REQUIRED element is absent
    duplicate,      // given twice where one is allowed
    too_large,      // over a configured size
    too_many,       // over a configured count
    too_deep,       // over the configured depth
    unsupported,    // an algorithm or form that libcrypto or we do not have
    bad_signature,  // a signature or MAC that does not verify
    not_trusted,    // no path to a configured trust anchor
    revoked,        // listed by a CRL
    expired,        // outside its validity
    not_permitted,  // keyUsage, EKU or basicConstraints forbid it
    unavailable,    // a file, a device or a clock could not be had
};

/// The enumerator's name.
std::string_view to_string(Errc code) noexcept;

/// Names the fault, the field it is in (a literal: static storage) and the offset in the octets
/// being read. No allocation.
struct Error {
    Errc code;
    std::string_view field;
    std::size_t offset = 0;
};

[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location&);

template <class T>
using Result = boost::system::result<T, Error>;

[[nodiscard]] inline Error fail(Errc code, std::string_view field,
                                std::size_t offset = 0) noexcept {
    return Error{code, field, offset};
}

}  // namespace ra

#define RA_CONCAT_(a, b) a##b
#define RA_CONCAT(a, b) RA_CONCAT_(a, b)
#define RA_TRY_IMPL(tmp, decl, expr)                     \
    auto tmp = (expr);                                   \
    if (!tmp.has_value()) return std::move(tmp).error(); \
    decl = std::move(*tmp)
#define RA_CO_TRY_IMPL(tmp, decl, expr)                     \
    auto tmp = (expr);                                      \
    if (!tmp.has_value()) co_return std::move(tmp).error(); \
    decl = std::move(*tmp)

/// RA_TRY(auto x, f()); binds x to f()'s value, or returns its error.
#define RA_TRY(decl, ...) RA_TRY_IMPL(RA_CONCAT(ra_try_, __LINE__), decl, (__VA_ARGS__))
#define RA_CO_TRY(decl, ...) RA_CO_TRY_IMPL(RA_CONCAT(ra_try_, __LINE__), decl, (__VA_ARGS__))
/// The same for Result<void>.
#define RA_TRY_VOID(...)                                                     \
    do {                                                                     \
        auto ra_try_void = (__VA_ARGS__);                                    \
        if (!ra_try_void.has_value()) return std::move(ra_try_void).error(); \
    } while (false)
#define RA_CO_TRY_VOID(...)                                                     \
    do {                                                                        \
        auto ra_try_void = (__VA_ARGS__);                                       \
        if (!ra_try_void.has_value()) co_return std::move(ra_try_void).error(); \
    } while (false)
