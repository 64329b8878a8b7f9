#include "ra/app/message_file.h"

#include <cerrno>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <system_error>

#include "ra/cmp/input.h"

namespace ra::app {
namespace {

Bytes read_all(std::istream& stream, const std::string& name, std::size_t most) {
    Bytes octets;
    std::vector<char> piece(64 * 1024);
    while (stream) {
        stream.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        const auto got = static_cast<std::size_t>(stream.gcount());
        if (octets.size() + got > most)
            throw std::runtime_error(name + " has more than " + std::to_string(most) + " octets");
        octets.insert(octets.end(), piece.begin(),
                      piece.begin() + static_cast<std::ptrdiff_t>(got));
    }
    return octets;
}

}  // namespace

std::vector<Bytes> read_message_file(const std::string& path, std::size_t most_octets) {
    static constexpr std::size_t kCapture = 64;  // messages in one file, roughly
    Bytes octets;
    if (path == "-") {
        octets = read_all(std::cin, "standard input", kCapture * most_octets);
    } else {
        std::ifstream file{path, std::ios::binary};
        if (!file) throw std::runtime_error(path + ": " + std::generic_category().message(errno));
        octets = read_all(file, path, kCapture * most_octets);
    }
    auto messages = cmp::read_messages(octets);
    if (!messages) {
        throw std::runtime_error(path + " is no PKIMessage in DER, PEM or base64: " +
                                 std::string(to_string(messages.error().code)) + " in " +
                                 std::string(messages.error().field) + " at octet " +
                                 std::to_string(messages.error().offset));
    }
    return std::move(*messages);
}

}  // namespace ra::app
