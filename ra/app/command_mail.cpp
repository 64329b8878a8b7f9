#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <csignal>
#include <future>
#include <iostream>
#include <iterator>

#include "ra/app/admin_client.h"
#include "ra/app/commands.h"
#include "ra/app/couriers.h"
#include "ra/base/random.h"
#include "transports/common/workers.h"
#include "transports/mail/mail.h"

namespace ra::app {
namespace {

using transports::mail::Question;
using transports::mail::ReadSettings;
using transports::mail::Unanswered;

constexpr std::chrono::seconds kPatience{90};

struct Options {
    std::string config;
    std::string to;
    std::string from;
    std::string sender;
    bool has_sender = false;
    std::string sendmail;
};

/// What became of a message: what a sysexits status says to the MTA.
struct Outcome {
    int status = EX_OK;
    Bytes answer;        // empty: none to send
    std::string detail;  // for the log
};

/// Through the admin socket, to the one listener for mail.
Outcome by_admin_socket(const std::string& file, ByteView der) {
    config::Faults faults{file};
    const config::Config config = config::read_config(file, faults);
    if (config.admin.urls.empty() && faults.has_errors()) return {EX_CONFIG, {}, faults.text()};
    AdminReply reply;
    try {
        reply = ask_gateway(config.admin, "POST", "/mail", as_text(der), kPatience);
    } catch (const std::runtime_error& fault) {
        return {EX_TEMPFAIL, {}, fault.what()};
    }
    switch (reply.status) {
        case 200:
            return {EX_OK, to_bytes(as_bytes(reply.body)), {}};
        case 202:
            return {EX_OK, {}, "taken; there is no answer to it"};
        case 400:
            return {EX_OK, to_bytes(as_bytes(reply.body)), "no PKIMessage"};
        case 404:
            return {EX_CONFIG, {}, "the gateway has no [[listener]] with url = \"mail:\""};
        case 403:
            return {EX_NOPERM, {}, "this user may not: [admin] view"};
        default:
            return {EX_TEMPFAIL, {}, "the gateway says " + std::to_string(reply.status)};
    }
}

/// To a listener of the gateway, over HTTP or TCP on this machine.
Outcome by_url(const std::string& text, ByteView der) {
    config::UpstreamConfig upstream;
    upstream.name = "--to";
    const config::Url url = config::Url::parse(text);
    if ((!url.is_http() && !url.is_tcp()) || url.is_secure())
        return {EX_USAGE, {}, "--to is http:// or tcp://, on this machine"};
    upstream.urls.push_back(url);
    static const SystemClock clock;
    transports::common::Workers workers{1, {}};
    transports::http1::HttpClientCounters counters;
    const auto courier = make_courier(workers[0], clock, upstream, url, {}, counters, nullptr);
    std::promise<Sent> promise;
    const auto send = [](Courier& by, ByteView octets,
                         std::promise<Sent>& to) -> asio::awaitable<void> {
        Delivery delivery;
        delivery.der = octets;
        delivery.deadline = BootClock::now() + kPatience;
        to.set_value(co_await by.send(delivery));
    };
    workers[0].tasks().spawn("mail", send(*courier, der, promise));
    workers.start();
    Sent sent = promise.get_future().get();
    workers.drain(BootClock::now() + std::chrono::seconds{1});
    workers.stop();
    if (auto* delivered = std::get_if<Delivered>(&sent))
        return {EX_OK, std::move(delivered->der), {}};
    if (auto* rejected = std::get_if<RejectedByTransport>(&sent)) {
        if (rejected->status / 100 == 2) return {EX_OK, {}, "taken; there is no answer to it"};
        const bool later = rejected->status >= 500;
        return {later ? EX_TEMPFAIL : EX_OK, std::move(rejected->der),
                "status " + std::to_string(rejected->status)};
    }
    // The gateway knows a repetition when it sees one.
    return {EX_TEMPFAIL, {}, "no answer"};
}

/// Hands the reply to sendmail, with an empty envelope sender: nothing ever comes back for it.
int post(const std::string& sendmail, const std::string& to, const std::string& mail) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return EX_OSERR;
    const pid_t child = ::fork();
    if (child < 0) return EX_OSERR;
    if (child == 0) {
        ::dup2(ends[0], 0);
        ::close(ends[0]);
        ::close(ends[1]);
        ::execl(sendmail.c_str(), sendmail.c_str(), "-i", "-f", "", "--", to.c_str(), nullptr);
        ::_exit(EX_UNAVAILABLE);
    }
    ::close(ends[0]);
    std::string_view left = mail;
    while (!left.empty()) {
        const ssize_t wrote = ::write(ends[1], left.data(), left.size());
        if (wrote <= 0) break;
        left.remove_prefix(static_cast<std::size_t>(wrote));
    }
    ::close(ends[1]);
    int status = 0;
    if (::waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0 ||
        !left.empty())
        return EX_TEMPFAIL;
    return EX_OK;
}

int mail(const Options& options) {
    std::signal(SIGPIPE, SIG_IGN);
    if (!transports::mail::is_plain_address(options.from)) {
        std::cerr << "cmpgate mail: --from is no plain address\n";
        return EX_USAGE;
    }
    ReadSettings settings;
    settings.own_address = options.from;
    settings.envelope_sender = options.sender;
    settings.has_envelope_sender = options.has_sender;
    // One octet more than may be, so that it is seen to be more.
    std::string text;
    std::array<char, 65'536> piece{};
    while (text.size() <= settings.max_mail && std::cin.read(piece.data(), piece.size()).gcount())
        text.append(piece.data(), static_cast<std::size_t>(std::cin.gcount()));

    const auto read = transports::mail::read_mail(text, settings);
    if (const auto* unanswered = std::get_if<Unanswered>(&read)) {
        std::cerr << "cmpgate mail: not answered: " << unanswered->why << '\n';
        return EX_OK;
    }
    const auto& question = std::get<Question>(read);
    const Outcome outcome = options.to.empty() ? by_admin_socket(options.config, question.der)
                                               : by_url(options.to, question.der);
    if (!outcome.detail.empty()) std::cerr << "cmpgate mail: " << outcome.detail << '\n';
    if (outcome.answer.empty()) return outcome.status;
    SystemRandom random;
    const std::string reply =
        transports::mail::write_reply(question, outcome.answer, options.from,
                                      to_hex(random.octets(16)), SystemClock{}.wall_now());
    if (!options.sendmail.empty()) return post(options.sendmail, question.reply_to, reply);
    std::cout << reply << std::flush;
    return std::cout ? EX_OK : EX_IOERR;
}

}  // namespace

void add_mail(CLI::App& app, Run& run) {
    CLI::App* command = app.add_subcommand(
        "mail",
        "Hand the CMP message in a mail on standard input to the running gateway, and reply");
    auto options = std::make_shared<Options>();
    auto* config = command->add_option(
        "-c,--config", options->config,
        "The gateway's configuration file: its admin socket is used, and its listener \"mail:\"");
    auto* to = command->add_option("--to", options->to,
                                   "Instead: a listener on this machine, http:// or tcp://");
    config->excludes(to);
    command->add_option("--from", options->from, "Our own address, which replies come from")
        ->required();
    auto* sender =
        command->add_option("--sender", options->sender,
                            "Envelope sender as the MTA says it. Without it Return-Path, or From");
    command->add_option("--sendmail", options->sendmail,
                        "Program that sends the reply; without it, it goes to standard output");
    command->callback([&run, options, sender] {
        options->has_sender = sender->count() != 0;
        if (options->config.empty() && options->to.empty())
            throw CLI::RequiredError("--config or --to");
        run = [options] { return mail(*options); };
    });
}

}  // namespace ra::app
