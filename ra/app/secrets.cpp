#include "ra/app/secrets.h"

#include <algorithm>
#include <boost/json.hpp>
#include <stdexcept>

#include "ra/app/config/faults.h"
#include "ra/app/config/values.h"
#include "ra/asn1/name.h"

namespace ra::app {
namespace json = boost::json;
namespace {

constexpr std::size_t kMostReference = 64;  // octets, of senderKID
constexpr std::size_t kLeastSecret = 4;
constexpr std::size_t kMostSecret = 128;
constexpr std::size_t kSecretDigits = 32;     // of 5 bits each: 160
constexpr std::size_t kReferenceDigits = 12;  // 60 bits: no two alike, nothing secret

/// Digits that are read and typed without mistakes (RFC 4648 base32, lower case): 5 random bits
/// each.
std::string random_digits(Random& random, std::size_t count) {
    constexpr std::string_view kDigits = "abcdefghijklmnopqrstuvwxyz234567";
    Bytes octets = random.octets(count);
    std::string text;
    text.reserve(count);
    for (const std::uint8_t octet : octets) text.push_back(kDigits[octet & 31U]);
    wipe(octets.data(), octets.size());
    return text;
}

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::string text_of(const json::value& value, std::string_view key) {
    if (!value.is_string()) {
        throw std::invalid_argument(std::string(key) + " is a string");
    }
    return std::string(value.as_string());
}

std::string state_of(const gateway::SecretInfo& info, WallTime now) {
    if (info.locked) return "locked";
    if (info.expires && now >= *info.expires) return "expired";
    if (info.uses && info.used + info.reserved >= *info.uses) return "spent";
    return "good";
}

}  // namespace

WallTime parse_expiry(std::string_view text, WallTime now) {
    const bool is_time = text.size() >= 10 && text[4] == '-';
    return is_time ? config::parse_time(text) : now + config::parse_duration(text);
}

SecretOrder parse_secret_order(std::string_view text, WallTime now) {
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = 2;
    const json::value document = json::parse(text, error, {}, options);
    if (error || !document.is_object())
        throw std::invalid_argument("a JSON object is wanted: {\"profile\": \"…\", \"uses\": 1}");
    SecretOrder order;
    for (const auto& [key, value] : document.as_object()) {
        if (key == "reference") {
            order.reference = text_of(value, key);
            if (order.reference.empty()) throw std::invalid_argument("reference is empty");
        } else if (key == "secret") {
            order.own = Secret{to_bytes(as_bytes(text_of(value, key)))};
            if (order.own.empty()) throw std::invalid_argument("secret is empty");
        } else if (key == "profile") {
            order.profile = text_of(value, key);
        } else if (key == "uses") {
            const auto* const count = value.if_int64();
            if (count == nullptr || *count < 0 || *count > 1'000'000'000)
                throw std::invalid_argument("uses is a number from 0 (any) to 1000000000");
            order.uses =
                *count == 0 ? std::nullopt : std::optional{static_cast<std::uint32_t>(*count)};
        } else if (key == "expires") {
            order.expires = parse_expiry(text_of(value, key), now);
        } else {
            throw std::invalid_argument(
                config::in_quotes(std::string_view{key}) + " is not known" +
                config::suggestion(std::string_view{key},
                                   {"reference", "secret", "profile", "uses", "expires"}));
        }
    }
    return order;
}

boost::asio::awaitable<std::string> add_secret(gateway::Secrets& secrets, SecretOrder order,
                                               Random& random, WallTime now) {
    if (order.expires && *order.expires <= now)
        throw std::invalid_argument("expires is in the past");
    gateway::NewSecret made;
    made.generated = order.own.empty();
    std::string secret{made.generated ? random_digits(random, kSecretDigits)
                                      : std::string(as_text(order.own.reveal()))};
    if (secret.size() < kLeastSecret || secret.size() > kMostSecret)
        throw std::invalid_argument("a secret has 4 to 128 octets");
    std::string reference =
        order.reference.empty() ? random_digits(random, kReferenceDigits) : order.reference;
    if (reference.size() > kMostReference || !is_printable(reference) ||
        reference.find_first_of("/%?#") != std::string::npos) {
        throw std::invalid_argument(
            "a reference is 1 to 64 printable characters without blanks and / % ? #: it is the "
            "device's senderKID and CN");
    }
    made.reference = to_bytes(as_bytes(reference));
    made.octets = Secret{to_bytes(as_bytes(secret))};
    made.profile = order.profile;
    made.created = now;
    made.expires = order.expires;
    made.uses = order.uses;

    json::object told;
    told["reference"] = reference;
    if (made.generated) told["secret"] = secret;
    told["generated"] = made.generated;
    if (!made.profile.empty()) told["profile"] = made.profile;
    if (made.uses) told["uses"] = *made.uses;
    if (made.expires) told["expires"] = config::time_text(*made.expires);
    wipe(secret.data(), secret.size());

    switch (co_await secrets.add_secret(std::move(made))) {
        case gateway::Secrets::Added::added:
            break;
        case gateway::Secrets::Added::exists:
            throw SecretFault("there is a secret with the reference " +
                              config::in_quotes(reference) + "; revoke it first");
        case gateway::Secrets::Added::full:
            throw SecretFault("there is no room for another secret");
    }
    co_return json::serialize(told);
}

boost::asio::awaitable<std::string> list_secrets(gateway::Secrets& secrets, WallTime now) {
    json::array all;
    for (const gateway::SecretInfo& info : co_await secrets.list_secrets()) {
        json::object one;
        one["reference"] = asn1::escaped(as_text(info.reference));
        one["state"] = state_of(info, now);
        one["generated"] = info.generated;
        if (!info.profile.empty()) one["profile"] = info.profile;
        one["created"] = config::time_text(info.created);
        if (info.expires) one["expires"] = config::time_text(*info.expires);
        if (info.uses) one["uses"] = *info.uses;
        one["used"] = info.used;
        one["reserved"] = info.reserved;
        all.push_back(std::move(one));
    }
    co_return json::serialize(all);
}

boost::asio::awaitable<std::string> revoke_secret(gateway::Secrets& secrets,
                                                  std::string_view reference) {
    if (!co_await secrets.revoke_secret(as_bytes(reference)))
        throw SecretFault("there is no secret with the reference " + config::in_quotes(reference));
    json::object told;
    told["reference"] = reference;
    told["revoked"] = true;
    co_return json::serialize(told);
}

}  // namespace ra::app
