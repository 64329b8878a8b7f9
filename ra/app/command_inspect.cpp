#include <CLI/App.hpp>
#include <iostream>

#include "ra/app/commands.h"
#include "ra/app/message_file.h"
#include "ra/cmp/inspect.h"

namespace ra::app {
namespace {

struct Options {
    std::string file = "-";
    bool json = false;
};

/// Looking at a message is not serving it: more is let through than a listener would take.
cmp::Limits generous_limits() {
    cmp::Limits limits;
    limits.message_octets = (1UL << 24U) - 1;
    limits.depth = 64;
    limits.extra_certs = 256;
    limits.nested_messages = 10'000;
    limits.nesting_depth = 8;
    limits.cert_req_msgs = 1000;
    limits.general_info = 1000;
    limits.id_min = 0;
    limits.id_max = 1024;
    limits.kid_max = 4096;
    limits.template_extensions = 1000;
    return limits;
}

int inspect(const Options& options) {
    const cmp::Limits limits = generous_limits();
    int status = 0;
    std::size_t number = 0;
    const std::vector<Bytes> messages = read_message_file(options.file, limits.message_octets);
    for (const Bytes& der : messages) {
        if (messages.size() > 1 && !options.json)
            std::cout << (++number == 1 ? "" : "\n") << "# message " << number << '\n';
        const auto message = cmp::parse_pki_message(der, limits);
        if (!message) {
            std::cerr << "cmpgate: " << options.file
                      << " does not parse: " << to_string(message.error().code) << " in "
                      << message.error().field << " at octet " << message.error().offset << '\n';
            status = kFailed;
            continue;
        }
        std::string text = options.json ? cmp::inspect_json(*message, limits)
                                        : cmp::inspect_text(*message, limits);
        if (text.empty() || text.back() != '\n') text += '\n';
        std::cout << text;
    }
    return status;
}

}  // namespace

void add_inspect(CLI::App& app, Run& run) {
    CLI::App* command = app.add_subcommand("inspect", "Show a PKIMessage for people");
    auto options = std::make_shared<Options>();
    command->add_option(
        "file", options->file,
        "DER, PEM, base64, or several messages one after another; - or nothing: standard input");
    command->add_flag("--json", options->json, "One JSON object a message");
    command->callback([&run, options] { run = [options] { return inspect(*options); }; });
}

}  // namespace ra::app
