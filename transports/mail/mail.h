#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "ra/base/bytes.h"
#include "ra/base/time.h"

/// CMP by mail (RFC 9483 6.4): one message as an application/pkixcmp part, base64, its file called
/// NAME.pki. Pure: a mail's text in, a mail's text out.
namespace transports::mail {

/// A mail that asks for something.
struct Question {
    ra::Bytes der;           // the content of its part, decoded; not looked into
    std::string reply_to;    // addr-spec
    std::string subject;     // printable, bounded
    std::string message_id;  // "<…>", or empty
    std::string references;  // "<…> <…>", the newest last; may be empty
    std::string file;        // "NAME.pki"
};

/// A mail that gets no reply; `why` is for the log. Automatic mail is never answered (RFC 3834):
/// two that did would go on for ever.
struct Unanswered {
    std::string why;
};
using Read = std::variant<Question, Unanswered>;

struct ReadSettings {
    std::string own_address;             // what comes from it is our own
    std::string_view envelope_sender;    // as the MTA says it
    bool has_envelope_sender = false;    // else Return-Path, else From
    std::size_t max_mail = 1024 * 1024;  // octets of the mail
};

/// Reads a mail as an MTA's pipe delivers it: LF or CRLF, perhaps with a "From " line.
[[nodiscard]] Read read_mail(std::string_view text, const ReadSettings& settings);

/// The reply, with LF at line ends, as sendmail wants it. `id`: what makes its Message-ID unique.
[[nodiscard]] std::string write_reply(const Question& question, ra::ByteView der,
                                      const std::string& own_address, std::string_view id,
                                      ra::WallTime now);

/// LOCAL@DOMAIN, printable ASCII without blanks, quotes or brackets, at most 254 octets, and
/// nothing a command line could take for an option.
[[nodiscard]] bool is_plain_address(std::string_view text) noexcept;

}  // namespace transports::mail
