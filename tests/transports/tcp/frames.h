#pragma once

#include "tests/transports/http1/fixture.h"

/// Frames as a peer writes and reads them, apart from the code that is tested.
namespace fixture {

inline std::string versioned(std::uint8_t type, const std::string& value, std::uint8_t flags = 0,
                             std::uint8_t version = 10) {
    const std::size_t length = value.size() + 3;
    std::string frame{'\0', static_cast<char>(length >> 16U), static_cast<char>(length >> 8U),
                      static_cast<char>(length)};
    frame += static_cast<char>(version);
    frame += static_cast<char>(flags);
    frame += static_cast<char>(type);
    return frame + value;
}

inline std::string rfc2510(std::uint8_t flag, const std::string& value) {
    const std::size_t length = value.size() + 1;
    std::string frame{'\0', static_cast<char>(length >> 16U), static_cast<char>(length >> 8U),
                      static_cast<char>(length)};
    frame += static_cast<char>(flag);
    return frame + value;
}

/// Whole frames, one at a time.
class FrameSocket {
public:
    explicit FrameSocket(RawSocket socket) : socket_{std::move(socket)} {}
    [[nodiscard]] bool write(const std::string& octets) const { return socket_.write(octets); }
    /// Empty: the connection ended first.
    std::string read() {
        for (;;) {
            if (pending_.size() >= 4) {
                std::size_t length = 0;
                for (std::size_t i = 0; i < 4; ++i)
                    length = length << 8U | static_cast<unsigned char>(pending_[i]);
                if (pending_.size() >= 4 + length) {
                    std::string one = pending_.substr(0, 4 + length);
                    pending_.erase(0, one.size());
                    return one;
                }
            }
            const std::string part = socket_.read_some();
            if (part.empty()) return {};
            pending_ += part;
        }
    }
    [[nodiscard]] bool ended() { return pending_.empty() && socket_.read_some().empty(); }

private:
    RawSocket socket_;
    std::string pending_;
};

}  // namespace fixture
