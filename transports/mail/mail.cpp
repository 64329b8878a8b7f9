#include "transports/mail/mail.h"

#include <mimetic/mimetic.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <iterator>
#include <sstream>
#include <vector>

namespace transports::mail {
namespace {

constexpr std::size_t kMostParts = 64;  // the parser goes into each by recursion
constexpr std::size_t kMostSubject = 200;
constexpr std::size_t kMostReferences = 900;  // a header line holds 998
constexpr std::size_t kLine = 76;             // RFC 2045 6.8

std::string lower(std::string_view text) {
    std::string made{text};
    std::transform(made.begin(), made.end(), made.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return made;
}

std::string_view trimmed(std::string_view text) noexcept {
    constexpr std::string_view kBlank = " \t\r\n";
    const auto begin = text.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

/// Printable ASCII in one line: what came in a header goes out in one.
std::string tame(std::string_view text, std::size_t most) {
    std::string made;
    for (const char c : trimmed(text)) {
        if (made.size() >= most) break;
        if (c == '\r' || c == '\n') continue;  // a folded line
        made += c >= ' ' && c < 0x7f ? c : (c == '\t' ? ' ' : '?');
    }
    return made;
}

/// "<a@b> <c@d>": nothing but such.
std::string message_ids(std::string_view text) {
    std::string made;
    for (std::size_t at = 0; (at = text.find('<', at)) != std::string_view::npos;) {
        const auto end = text.find('>', at);
        if (end == std::string_view::npos) break;
        const std::string_view id = text.substr(at, end - at + 1);
        const bool plain =
            id.size() > 2 && id.size() <= 250 &&
            std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 0x7f; });
        if (plain) (made += made.empty() ? "" : " ") += id;
        at = end + 1;
    }
    return made;
}

/// What stands in <…>, else all of it: of From, Reply-To, Return-Path.
std::string address_in(std::string_view text) {
    const auto open = text.rfind('<');
    const auto close = text.rfind('>');
    if (open != std::string_view::npos && close != std::string_view::npos && open < close)
        text = text.substr(open + 1, close - open - 1);
    return std::string(trimmed(text));
}

std::string field_of(const mimetic::MimeEntity& mail, const char* name) {
    return mail.hasField(name) ? std::string(mail.header().field(name).value()) : std::string{};
}

/// Why nobody waits for a reply (RFC 3834 2); empty: somebody may.
std::string automatic(const mimetic::MimeEntity& mail) {
    const std::string submitted = lower(trimmed(field_of(mail, "Auto-Submitted")));
    if (!submitted.empty() && !submitted.starts_with("no")) return "Auto-Submitted: " + submitted;
    const std::string precedence = lower(trimmed(field_of(mail, "Precedence")));
    if (precedence == "bulk" || precedence == "junk" || precedence == "list")
        return "Precedence: " + precedence;
    for (const char* field : {"List-Id", "List-Unsubscribe", "List-Post", "List-Help"}) {
        if (mail.hasField(field)) return std::string("from a list (") + field + ")";
    }
    if (mail.hasField("X-Auto-Response-Suppress")) return "X-Auto-Response-Suppress";
    const std::string type = lower(mail.header().contentType().type());
    if (type == "multipart" && lower(mail.header().contentType().subtype()) == "report")
        return "a report of another mail";
    return {};
}

bool is_daemon(std::string_view address) {
    const std::string local = lower(address.substr(0, address.find('@')));
    static constexpr std::array<std::string_view, 5> kDaemons{"mailer-daemon", "postmaster",
                                                              "noreply", "no-reply", "listserv"};
    return std::find(kDaemons.begin(), kDaemons.end(), local) != kDaemons.end() ||
           local.starts_with("owner-") || local.ends_with("-request") ||
           local.ends_with("-bounces");
}

bool is_cmp(const mimetic::MimeEntity& part) {
    const mimetic::ContentType& type = part.header().contentType();
    const std::string subtype = lower(type.subtype());
    return lower(type.type()) == "application" && (subtype == "pkixcmp" || subtype == "x-pkixcmp");
}

void find_parts(const mimetic::MimeEntity& entity, std::vector<const mimetic::MimeEntity*>& found) {
    if (is_cmp(entity)) found.push_back(&entity);
    for (const mimetic::MimeEntity* part : entity.body().parts()) find_parts(*part, found);
}

std::string file_of(const mimetic::MimeEntity& part) {
    std::string name = part.header().contentDisposition().param("filename");
    if (name.empty()) name = part.header().contentType().param("name");
    const bool plain = name.size() > 4 && name.size() <= 100 && name.ends_with(".pki") &&
                       name.front() != '.' &&
                       std::all_of(name.begin(), name.end(), [](unsigned char c) {
                           return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
                       });
    return plain ? name : "answer.pki";
}

ra::Bytes content_of(const mimetic::MimeEntity& part) {
    ra::Bytes octets;
    const std::string& body = part.body();
    const std::string coding = lower(trimmed(part.header().contentTransferEncoding().mechanism()));
    if (coding == "base64") {
        mimetic::Base64::Decoder decoder;
        auto out = std::back_inserter(octets);
        for (const char c : body) decoder.process(static_cast<unsigned char>(c), out);
        decoder.flush(out);
    } else if (coding == "quoted-printable") {
        mimetic::QP::Decoder decoder;
        auto out = std::back_inserter(octets);
        for (const char c : body) decoder.process(static_cast<unsigned char>(c), out);
        decoder.flush(out);
    } else {
        octets = ra::to_bytes(ra::as_bytes(body));
    }
    return octets;
}

/// How many parts its text could have: a parser that recurses must not be given any number.
std::size_t possible_parts(std::string_view text) {
    const std::string small = lower(text);
    std::size_t count = 0;
    for (const std::string_view sign : {"multipart/", "message/"}) {
        for (std::size_t at = 0; (at = small.find(sign, at)) != std::string::npos;
             at += sign.size())
            ++count;
    }
    return count;
}

std::string base64_of(ra::ByteView octets) {
    std::string plain;
    mimetic::Base64::Encoder encoder{0};
    auto out = std::back_inserter(plain);
    for (const std::uint8_t octet : octets) encoder.process(octet, out);
    encoder.flush(out);
    std::string lines;
    for (const char c : plain) {
        if (c == '\r' || c == '\n') continue;
        if (!lines.empty() && lines.size() % (kLine + 1) == kLine) lines += '\n';
        lines += c;
    }
    return lines;
}

/// "Wed, 25 Nov 2026 02:15:00 +0000" (RFC 5322 3.3).
std::string date_text(ra::WallTime time) {
    static constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed",
                                                      "Thu", "Fri", "Sat"};
    static constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto midnight = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day day{midnight};
    const std::chrono::hh_mm_ss of_day{time - midnight};
    const auto two = [](auto number) {
        const std::string text = std::to_string(number);
        return text.size() < 2 ? "0" + text : text;
    };
    return std::string(kDays[std::chrono::weekday{midnight}.c_encoding()]) + ", " +
           two(static_cast<unsigned>(day.day())) + ' ' +
           kMonths[static_cast<unsigned>(day.month()) - 1] + ' ' +
           std::to_string(static_cast<int>(day.year())) + ' ' + two(of_day.hours().count()) + ':' +
           two(of_day.minutes().count()) + ':' + two(of_day.seconds().count()) + " +0000";
}

}  // namespace

bool is_plain_address(std::string_view text) noexcept {
    constexpr std::string_view kBad = "\"'`\\()<>[]:;,|&$ ";
    const auto at = text.find('@');
    return text.size() <= 254 && at != std::string_view::npos && at != 0 && at + 1 < text.size() &&
           text.find('@', at + 1) == std::string_view::npos && text.front() != '-' &&
           std::all_of(text.begin(), text.end(), [&](char c) {
               return c > ' ' && c < 0x7f && kBad.find(c) == std::string_view::npos;
           });
}

Read read_mail(std::string_view text, const ReadSettings& settings) {
    if (text.size() > settings.max_mail) return Unanswered{"larger than may be"};
    if (text.starts_with("From ")) {  // of a mailbox, not of a mail
        const auto end = text.find('\n');
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
    if (possible_parts(text) > kMostParts) return Unanswered{"more parts than may be"};
    std::istringstream stream{std::string(text)};
    const mimetic::MimeEntity mail{stream};

    const std::string from = address_in(field_of(mail, "From"));
    std::string sender{settings.envelope_sender};
    if (!settings.has_envelope_sender) {
        const bool returns = mail.hasField("Return-Path");
        sender = returns ? address_in(field_of(mail, "Return-Path")) : from;
    }
    if (sender.empty() || sender == "<>") return Unanswered{"a bounce: it has no sender"};
    if (!is_plain_address(sender)) return Unanswered{"its sender is no plain address"};
    if (is_daemon(sender) || is_daemon(from)) return Unanswered{"from a daemon: " + sender};
    if (lower(sender) == lower(settings.own_address)) return Unanswered{"our own"};
    if (std::string why = automatic(mail); !why.empty()) return Unanswered{std::move(why)};

    std::vector<const mimetic::MimeEntity*> parts;
    find_parts(mail, parts);
    if (parts.empty()) return Unanswered{"no part is application/pkixcmp"};
    if (parts.size() > 1) return Unanswered{"more than one part is application/pkixcmp"};
    Question question;
    question.der = content_of(*parts.front());
    if (question.der.empty()) return Unanswered{"its application/pkixcmp part is empty"};
    question.file = file_of(*parts.front());
    question.reply_to = std::move(sender);
    question.subject = tame(field_of(mail, "Subject"), kMostSubject);
    question.message_id = message_ids(field_of(mail, "Message-ID"));
    if (const auto end = question.message_id.find(' '); end != std::string::npos)
        question.message_id.resize(end);
    question.references = message_ids(field_of(mail, "References"));
    if (question.references.empty())
        question.references = message_ids(field_of(mail, "In-Reply-To"));
    if (!question.message_id.empty())
        (question.references += question.references.empty() ? "" : " ") += question.message_id;
    // The oldest go first where there are too many.
    while (question.references.size() > kMostReferences) {
        const auto next = question.references.find(' ');
        question.references.erase(0, next == std::string::npos ? next : next + 1);
    }
    return question;
}

std::string write_reply(const Question& question, ra::ByteView der, const std::string& own_address,
                        std::string_view id, ra::WallTime now) {
    const std::string domain = own_address.substr(own_address.find('@') + 1);
    const bool is_reply = lower(question.subject).starts_with("re:");
    std::string mail = "From: " + own_address + "\nTo: " + question.reply_to +
                       "\nSubject: " + (is_reply ? "" : "Re: ") + question.subject +
                       "\nDate: " + date_text(now) + "\nMessage-ID: <" + std::string(id) + '@' +
                       domain + ">\n";
    if (!question.message_id.empty()) mail += "In-Reply-To: " + question.message_id + '\n';
    if (!question.references.empty()) {
        // A line each: together they may be longer than a line should be.
        std::string references = question.references;
        for (std::size_t at = 0; (at = references.find(' ', at)) != std::string::npos; at += 2)
            references.replace(at, 1, "\n ");
        mail += "References: " + references + '\n';
    }
    mail +=
        "Auto-Submitted: auto-replied\nMIME-Version: 1.0\nContent-Type: application/pkixcmp;\n "
        "name=\"" +
        question.file +
        "\"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment;\n filename=\"" +
        question.file + "\"\n\n" + base64_of(der) + '\n';
    return mail;
}

}  // namespace transports::mail
