#include "transports/common/byte_stream.h"

#include <boost/asio/error.hpp>

namespace transports::common {

namespace asio = boost::asio;

asio::awaitable<error_code> ByteStream::write(ra::ByteView head, ra::ByteView body,
                                              std::size_t done) {
    const std::size_t whole = head.size() + body.size();
    while (done < whole) {
        const std::size_t in_head = std::min(done, head.size());
        error_code error;
        done += try_write(head.subspan(in_head), body.subspan(done - in_head), error);
        if (done >= whole) break;
        if (error && error != asio::error::would_block) co_return error;
        const Ready ready = co_await wait_write();
        if (ready == Ready::timed_out) co_return asio::error::timed_out;
        if (ready == Ready::closed) co_return asio::error::operation_aborted;
    }
    co_return error_code{};
}

}  // namespace transports::common
