#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "tests/bench/load.h"
#include "tests/bench/sockets.h"
#include "tests/bench/test_ca.h"

namespace {

void print(const bench::LoadResult& result, bool json) {
    const double rate = static_cast<double>(result.messages) / result.seconds;
    if (json) {
        std::cout << R"({"messages":)" << result.messages << R"(,"errors":)" << result.errors
                  << R"(,"seconds":)" << result.seconds << R"(,"rate":)" << rate << R"(,"p50_ms":)"
                  << result.p50_ms << R"(,"p90_ms":)" << result.p90_ms << R"(,"p99_ms":)"
                  << result.p99_ms << R"(,"max_ms":)" << result.max_ms << "}\n";
    } else {
        std::cout << result.messages << " messages in " << result.seconds << " s, " << rate
                  << "/s; ms p50 " << result.p50_ms << " p90 " << result.p90_ms << " p99 "
                  << result.p99_ms << " max " << result.max_ms << '\n';
    }
    if (result.errors > 0) {
        std::cerr << result.errors << " wrong answers, the first: " << result.first_error << '\n';
    }
}

}  // namespace

int main(int argc, char** argv) try {
    CLI::App app{"Loads a CMP server with messages made beforehand, or is a cheap CA for it"};
    app.require_subcommand(1);
    bench::LoadSettings load;
    bool json = false;
    CLI::App* client = app.add_subcommand("load", "ir, or ir and certConf, on 127.0.0.1");
    client->add_option("--port", load.port, "Where")->required();
    client->add_option("--path", load.path, "Of the URL")->capture_default_str();
    client->add_option("--connections", load.connections, "At a time")->capture_default_str();
    client->add_option("--transactions", load.transactions, "In all")->capture_default_str();
    client->add_flag("--cert-conf", load.cert_conf, "Confirm; else implicitConfirm is asked for");
    client->add_flag("--hold", load.hold, "Stay connected until standard input ends");
    client->add_flag("--json", json, "The result as JSON");

    std::uint16_t port = 0;
    unsigned delay = 0;
    CLI::App* ca = app.add_subcommand("ca", "Answers everything at once, or after a delay");
    ca->add_option("--port", port, "0: any; printed")->capture_default_str();
    ca->add_option("--delay", delay, "Milliseconds to each answer")->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    bench::raise_descriptor_limit();
    if (*ca) bench::serve_test_ca(port, std::chrono::milliseconds{delay});
    const bench::LoadResult result = bench::run_load(load);
    print(result, json);
    return result.errors == 0 ? 0 : 1;
} catch (const std::exception& fault) {
    std::cerr << "cmpgate_bench: " << fault.what() << '\n';
    return 1;
}
