#include <algorithm>
#include <cstdlib>

#include "transports/mail/mail.h"

/// A mail as it comes out of an MTA's pipe. What is read of it goes into a reply that must be one
/// mail and stay one, whatever stood in its headers.

using namespace transports::mail;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ReadSettings settings;
    settings.own_address = "ra@example.org";
    settings.max_mail = 64 * 1024;
    const Read read = read_mail(ra::as_text({data, size}), settings);
    const auto* question = std::get_if<Question>(&read);
    if (question == nullptr) return 0;
    require(is_plain_address(question->reply_to));
    require(question->references.size() < 1000);
    const std::string mail = write_reply(*question, question->der, "ra@example.org", "1", {});
    const auto head = mail.substr(0, mail.find("\n\n"));
    std::size_t to = 0;
    for (std::size_t at = 0; at < head.size();) {
        const auto end = std::min(head.find('\n', at), head.size());
        const std::string_view line{head.data() + at, end - at};
        for (const char c : line) require(c >= ' ' && c < 0x7f);
        require(line.size() <= 998);
        if (line.starts_with("To:") || line.starts_with("Bcc:") || line.starts_with("Cc:")) ++to;
        at = end + 1;
    }
    require(to == 1);
    return 0;
}
