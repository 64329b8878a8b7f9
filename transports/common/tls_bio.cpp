#include "transports/common/tls_bio.h"

#include <boost/asio/error.hpp>
#include <stdexcept>

namespace transports::common {

namespace asio = boost::asio;

namespace {

TlsWire& wire_of(BIO* bio) noexcept { return *static_cast<TlsWire*>(BIO_get_data(bio)); }

int on_read(BIO* bio, char* to, std::size_t size, std::size_t* got) noexcept {
    TlsWire& wire = wire_of(bio);
    BIO_clear_retry_flags(bio);
    *got = 0;
    if (wire.limit != 0 && wire.received >= wire.limit) {
        wire.fault = asio::error::message_size;
        return 0;
    }
    error_code error;
    *got = wire.transport->try_read({reinterpret_cast<std::uint8_t*>(to), size}, error);
    wire.received += *got;
    if (!error) return 1;
    if (error == asio::error::would_block) {
        BIO_set_retry_read(bio);
    } else {
        wire.fault = error;
    }
    return 0;
}

int on_write(BIO* bio, const char* from, std::size_t size, std::size_t* sent) noexcept {
    TlsWire& wire = wire_of(bio);
    BIO_clear_retry_flags(bio);
    error_code error;
    *sent =
        wire.transport->try_write({reinterpret_cast<const std::uint8_t*>(from), size}, {}, error);
    if (*sent != 0) return 1;
    if (error == asio::error::would_block) {
        BIO_set_retry_write(bio);
    } else {
        wire.fault = error;
    }
    return 0;
}

long on_control(BIO* bio, int command, long, void*) noexcept {
    if (command == BIO_CTRL_FLUSH) return 1;
    // OpenSSL tells a closed connection from a broken one by it.
    if (command == BIO_CTRL_EOF) return wire_of(bio).fault == asio::error::eof ? 1 : 0;
    return 0;
}

BioMethodPtr make_method() {
    BioMethodPtr method{BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream")};
    if (method == nullptr || BIO_meth_set_read_ex(method.get(), on_read) != 1 ||
        BIO_meth_set_write_ex(method.get(), on_write) != 1 ||
        BIO_meth_set_ctrl(method.get(), on_control) != 1) {
        throw std::runtime_error("no BIO method");
    }
    return method;
}

}  // namespace

BioPtr make_wire_bio(TlsWire& wire) {
    static const BioMethodPtr method = make_method();
    BioPtr bio{BIO_new(method.get())};
    if (bio == nullptr) throw std::bad_alloc{};
    BIO_set_data(bio.get(), &wire);
    BIO_set_init(bio.get(), 1);
    return bio;
}

}  // namespace transports::common
