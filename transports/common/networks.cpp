#include "transports/common/networks.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <stdexcept>
#include <string>

namespace transports::common {

namespace asio = boost::asio;

namespace {

/// Empty: no numeric address.
ra::Bytes octets_of(std::string_view text) {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(std::string{text}, error);
    if (error) return {};
    if (address.is_v4()) {
        const auto octets = address.to_v4().to_bytes();
        return {octets.begin(), octets.end()};
    }
    const auto octets = address.to_v6().to_bytes();
    return {octets.begin(), octets.end()};
}

/// Whether bit `at` of the address is set.
bool bit(ra::ByteView octets, unsigned at) noexcept {
    return (octets[at / 8] >> (7 - at % 8) & 1U) != 0;
}

}  // namespace

Network Network::parse(std::string_view text) {
    const auto slash = text.find('/');
    Network network;
    network.prefix_ = octets_of(text.substr(0, slash));
    if (network.prefix_.empty())
        throw std::invalid_argument("\"" + std::string{text} +
                                    "\" is no address or network, as \"10.0.0.0/8\"");
    const auto most = static_cast<unsigned>(network.prefix_.size() * 8);
    network.bits_ = most;
    if (slash != std::string_view::npos) {
        const std::string_view digits = text.substr(slash + 1);
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), network.bits_);
        if (error != std::errc{} || end != digits.data() + digits.size() || network.bits_ > most)
            throw std::invalid_argument("\"" + std::string{text} +
                                        "\" has no prefix length of 0 to " + std::to_string(most));
    }
    for (unsigned at = network.bits_; at < most; ++at) {
        if (bit(network.prefix_, at))
            throw std::invalid_argument("\"" + std::string{text} +
                                        "\" has bits set behind its prefix length");
    }
    return network;
}

bool Network::contains(std::string_view address) const {
    const ra::Bytes octets = octets_of(address);
    if (octets.size() != prefix_.size()) return false;
    for (unsigned at = 0; at < bits_; ++at) {
        if (bit(octets, at) != bit(prefix_, at)) return false;
    }
    return true;
}

bool contains(const std::vector<Network>& networks, std::string_view address) {
    return std::ranges::any_of(networks,
                               [address](const Network& one) { return one.contains(address); });
}

}  // namespace transports::common
