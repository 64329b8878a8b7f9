#include "transports/mail/mail.h"

#include <doctest/doctest.h>

#include <string>

using namespace transports::mail;

namespace {

const std::string kPart =
    "Content-Type: application/pkixcmp; name=\"request-7.pki\"\n"
    "Content-Transfer-Encoding: base64\n"
    "Content-Disposition: attachment; filename=\"request-7.pki\"\n"
    "\n"
    "MAMC\nAQU=\n";
const ra::Bytes kDer = {0x30, 0x03, 0x02, 0x01, 0x05};

std::string mail_with(const std::string& more, const std::string& part = kPart) {
    return "Return-Path: <press@plant.example>\nFrom: Press 7 <press@plant.example>\n"
           "To: ra@example.org\nSubject: enrol\nMessage-ID: <m1@plant.example>\n" +
           more + "MIME-Version: 1.0\n" + part;
}

ReadSettings ours() {
    ReadSettings settings;
    settings.own_address = "ra@example.org";
    return settings;
}

std::string why(const std::string& text, const ReadSettings& settings = ours()) {
    const Read read = read_mail(text, settings);
    const auto* unanswered = std::get_if<Unanswered>(&read);
    return unanswered != nullptr ? unanswered->why : std::string{};
}

}  // namespace

TEST_SUITE("transports/mail") {
    TEST_CASE("read_mail: the one part that is CMP, wherever it stands") {
        const std::string mixed =
            "Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\nContent-Type: text/plain\n\n"
            "Please.\n--b\n" +
            kPart + "--b--\n";
        const std::string nested =
            "Content-Type: multipart/mixed; boundary=\"o\"\n\n--o\n" + mixed + "\n--o--\n";
        std::string crlf;
        for (const char c : mail_with("", mixed)) (c == '\n' ? crlf += '\r' : crlf) += c;
        struct Row {
            const char* name;
            std::string text;
        };
        const Row rows[] = {
            {"alone", mail_with("")},
            {"beside a text", mail_with("", mixed)},
            {"deeper", mail_with("", nested)},
            {"with CRLF", crlf},
            {"with a line of a mailbox", "From press Wed Nov 25\n" + mail_with("")},
            {"capitals", mail_with("",
                                   "Content-Type: APPLICATION/PKIXCMP\n"
                                   "Content-Transfer-Encoding: BASE64\n\nMAMCAQU=\n")},
            {"an old name", mail_with("",
                                      "Content-Type: application/x-pkixcmp\n"
                                      "Content-Transfer-Encoding: base64\n\nMAMCAQU=\n")},
            {"quoted-printable",
             mail_with("",
                       "Content-Type: application/pkixcmp\n"
                       "Content-Transfer-Encoding: quoted-printable\n\n0=03=02=01=05")},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            CHECK(why(row.text).empty());
            const Read read = read_mail(row.text, ours());
            const auto* question = std::get_if<Question>(&read);
            REQUIRE(question != nullptr);
            CHECK(question->der == kDer);
            CHECK(question->reply_to == "press@plant.example");
            CHECK(question->subject == "enrol");
            CHECK(question->message_id == "<m1@plant.example>");
            CHECK(question->references == "<m1@plant.example>");
            CHECK(question->file.ends_with(".pki"));
        }
    }

    TEST_CASE("read_mail: no reply to what nobody wrote, nor to what is no question") {
        struct Row {
            const char* name;
            std::string text;
            const char* says;
        };
        const std::string two = "Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\n" + kPart +
                                "--b\n" + kPart + "--b--\n";
        const Row rows[] = {
            {"an automatic reply", mail_with("Auto-Submitted: auto-replied\n"), "Auto-Submitted"},
            {"a vacation", mail_with("auto-submitted: Auto-Generated\n"), "Auto-Submitted"},
            {"bulk", mail_with("Precedence: bulk\n"), "Precedence"},
            {"a list", mail_with("List-Id: <devices.example.org>\n"), "list"},
            {"a list to leave", mail_with("List-Unsubscribe: <mailto:x@y>\n"), "list"},
            {"one that asks for no reply", mail_with("X-Auto-Response-Suppress: All\n"),
             "X-Auto-Response-Suppress"},
            {"a delivery report",
             mail_with(
                 "", "Content-Type: multipart/report; boundary=\"b\"\n\n--b\n" + kPart + "--b--\n"),
             "report"},
            {"no part", mail_with("", "Content-Type: text/plain\n\nDear CA,\n"), "no part"},
            {"two parts", mail_with("", two), "more than one"},
            {"an empty part",
             mail_with("",
                       "Content-Type: application/pkixcmp\n"
                       "Content-Transfer-Encoding: base64\n\n"),
             "empty"},
            {"nothing at all", "", "no sender"},
            {"from a daemon",
             "From: Mail Delivery <MAILER-DAEMON@mx.example>\nMIME-Version: 1.0\n" + kPart,
             "daemon"},
            {"a bounce", "Return-Path: <>\nFrom: a@b.example\nMIME-Version: 1.0\n" + kPart,
             "no sender"},
            {"our own", "From: RA@example.org\nMIME-Version: 1.0\n" + kPart, "our own"},
            {"an option for sendmail", "From: <-oQ/tmp@b.example>\nMIME-Version: 1.0\n" + kPart,
             "plain address"},
            {"a pipe for sendmail", "From: \"|/bin/sh\"@b.example\nMIME-Version: 1.0\n" + kPart,
             "plain address"},
            {"two addresses", "From: a@b, c@d\nMIME-Version: 1.0\n" + kPart, "plain address"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            CHECK(why(row.text).find(row.says) != std::string::npos);
        }
        CHECK(why(mail_with("Auto-Submitted: no\n")).empty());
        ReadSettings settings = ours();
        settings.has_envelope_sender = true;
        CHECK(why(mail_with(""), settings) == "a bounce: it has no sender");
        settings.envelope_sender = "bounces@plant.example";
        const Read read = read_mail(mail_with(""), settings);
        REQUIRE(std::holds_alternative<Question>(read));
        CHECK(std::get<Question>(read).reply_to == "bounces@plant.example");
    }

    TEST_CASE("read_mail: size and depth are bounded before anything is parsed") {
        ReadSettings settings = ours();
        settings.max_mail = 100;
        CHECK(why(mail_with(""), settings) == "larger than may be");
        std::string deep = "From: a@b.example\nMIME-Version: 1.0\n";
        for (int i = 0; i < 10'000; ++i)
            deep += "Content-Type: multipart/mixed; boundary=\"x\"\n\n--x\n";
        CHECK(why(deep) == "more parts than may be");
    }

    TEST_CASE("read_mail: what goes into the reply is tame") {
        const Read read = read_mail(
            "From: a@b.example\nSubject: =?utf-8?q?x?=\x01\xff\n  folded\n"
            "Message-ID: <a b> <good@x>\nReferences: <1@x> junk <2@x>\nMIME-Version: 1.0\n"
            "Content-Type: application/pkixcmp; name=\"../../etc/x.pki\"\n"
            "Content-Transfer-Encoding: base64\n\nMAMCAQU=\n",
            ours());
        REQUIRE(std::holds_alternative<Question>(read));
        const auto& question = std::get<Question>(read);
        CHECK(question.file == "answer.pki");
        CHECK(question.message_id == "<good@x>");
        CHECK(question.references == "<1@x> <2@x> <good@x>");
        for (const char c : question.subject) CHECK((c >= ' ' && c < 0x7f));
    }

    TEST_CASE("write_reply: it reads back, and would not be answered") {
        Question question;
        question.reply_to = "press@plant.example";
        question.subject = "enrol";
        question.message_id = "<m2@plant.example>";
        question.references = "<m1@plant.example> <m2@plant.example>";
        question.file = "request-7.pki";
        ra::Bytes der(1000);
        for (std::size_t i = 0; i < der.size(); ++i) der[i] = static_cast<std::uint8_t>(i * 7);
        const ra::WallTime now =
            std::chrono::sys_days{std::chrono::year{2026} / 11 / 25} + std::chrono::seconds{8100};
        const std::string mail = write_reply(question, der, "ra@example.org", "0a1b", now);
        CHECK(
            mail.starts_with("From: ra@example.org\nTo: press@plant.example\n"
                             "Subject: Re: enrol\nDate: Wed, 25 Nov 2026 02:15:00 +0000\n"
                             "Message-ID: <0a1b@example.org>\n"
                             "In-Reply-To: <m2@plant.example>\n"
                             "References: <m1@plant.example>\n <m2@plant.example>\n"
                             "Auto-Submitted: auto-replied\n"));
        std::size_t longest = 0;
        for (std::size_t at = 0, end = 0; (end = mail.find('\n', at)) != std::string::npos;
             at = end + 1)
            longest = std::max(longest, end - at);
        CHECK(longest <= 78);
        ReadSettings settings;
        settings.own_address = "press@plant.example";
        CHECK(why(mail, settings).find("Auto-Submitted") != std::string::npos);
        std::string human = mail;
        human.erase(human.find("Auto-Submitted"),
                    std::string("Auto-Submitted: auto-replied\n").size());
        const Read back = read_mail(human, settings);
        REQUIRE(std::holds_alternative<Question>(back));
        CHECK(std::get<Question>(back).der == der);
        CHECK(std::get<Question>(back).file == "request-7.pki");
        question.subject = "RE: enrol";
        CHECK(write_reply(question, der, "ra@example.org", "1", now).find("Re: RE:") ==
              std::string::npos);
    }

    TEST_CASE("is_plain_address") {
        for (const char* good : {"a@b", "press-7+x@plant.example", "a.b_c=d@e.f"})
            CHECK(is_plain_address(good));
        for (const char* bad : {"", "a", "@b", "a@", "a@b@c", "-a@b", "a b@c", "\"a\"@b", "a@b\n",
                                "<a@b>", "a@b,c", "$(x)@y", "\xc3\xa4@b"})
            CHECK_FALSE(is_plain_address(bad));
    }
}
