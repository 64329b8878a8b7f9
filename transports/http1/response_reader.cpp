#include "transports/http1/response_reader.h"

namespace transports::http1 {

void ResponseReader::on_response_impl(int status, View, int, ErrorCode&) {
    status_ = static_cast<unsigned>(status);
}

void ResponseReader::on_header_impl(ErrorCode& error) {
    if (unknown_coding_ || (chunked_ && has_length_)) return refuse_header(error);
    check_length(error);
}

Stage ResponseReader::feed_end() {
    if (is_done()) return Stage::done;
    if (!header_done() || !surplus().empty()) return Stage::malformed;
    put_eof(fault_);
    return fault_ ? Stage::malformed : Stage::done;
}

}  // namespace transports::http1
