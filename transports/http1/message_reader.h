#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <string_view>

#include "ra/base/bytes.h"

namespace transports::http1 {

/// How far a message is.
enum class Stage : std::uint8_t { need_more, done, malformed };

/// True for the media types of CMP (RFC 9811 3.2, RFC 2510); case and parameters do not matter.
[[nodiscard]] bool is_cmp_media_type(std::string_view content_type) noexcept;

/// What requests and responses have in common: Beast's parser fed from a shared buffer. Octets it
/// does not take yet (half a header line) are kept here, so that the caller's buffer may be reused.
/// Pure: octets in, facts out.
template <bool isRequest>
class MessageReader : public boost::beast::http::basic_parser<isRequest> {
public:
    using ErrorCode = boost::beast::error_code;
    using Field = boost::beast::http::field;
    using View = boost::beast::string_view;

    MessageReader(std::size_t max_header, std::size_t max_body);

    /// Takes `octets`; `done` leaves what belongs to the next message in surplus().
    [[nodiscard]] Stage feed(ra::ByteView octets);

    [[nodiscard]] bool header_done() const noexcept { return this->is_header_done(); }
    [[nodiscard]] bool too_large() const noexcept { return too_large_; }
    [[nodiscard]] ra::Bytes take_body() noexcept { return std::move(body_); }
    [[nodiscard]] ra::ByteView surplus() const noexcept { return kept_; }
    [[nodiscard]] ra::Bytes take_surplus() noexcept { return std::move(kept_); }
    /// Beast's word for what was malformed.
    [[nodiscard]] ErrorCode fault() const noexcept { return fault_; }

protected:
    bool cmp_media_type_ = false;
    bool chunked_ = false;
    bool has_length_ = false;
    std::uint8_t hosts_ = 0;
    bool expects_continue_ = false;
    bool expects_other_ = false;
    bool unknown_coding_ = false;
    ErrorCode fault_;

    /// Stops the parser; the derived reader knows why.
    static void refuse_header(ErrorCode& error) noexcept;
    /// The announced length is over the limit: stops the parser before any content.
    void check_length(ErrorCode& error) noexcept;
    void on_field_impl(Field name, View name_text, View value, ErrorCode& error) override;

private:
    void on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode& error) override;
    std::size_t on_body_impl(View body, ErrorCode& error) override;
    void on_chunk_header_impl(std::uint64_t size, View extensions, ErrorCode& error) override;
    std::size_t on_chunk_body_impl(std::uint64_t remain, View body, ErrorCode& error) override;
    void on_finish_impl(ErrorCode&) override {}

    std::size_t max_header_;
    std::size_t max_body_;
    std::size_t header_octets_ = 0;
    std::size_t fields_ = 0;
    bool too_large_ = false;
    bool typed_ = false;
    ra::Bytes body_;
    ra::Bytes kept_;
};

extern template class MessageReader<true>;
extern template class MessageReader<false>;

}  // namespace transports::http1
