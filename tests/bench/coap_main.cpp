#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "tests/bench/coap_bench.h"

int main(int argc, char** argv) try {
    CLI::App app{"What the figures of CoAP are taken with (coap.py)"};
    app.require_subcommand(1);

    bench::EchoSettings echo;
    CLI::App* const serve = app.add_subcommand("echo", "libcoap and nothing else");
    auto* const certificate = serve->add_option("--certificate", echo.certificate, "PEM: DTLS");
    serve->add_option("--key", echo.key, "Its key, PEM")->needs(certificate);
    serve->add_option("--psk", echo.psk, "DTLS, everybody's key");

    std::size_t octets = bench::CoapLoad{}.octets;
    CLI::App* const gateway = app.add_subcommand("gateway", "Before a CA in the same process");
    gateway->add_option("--octets", octets, "Of an answer, at most")->capture_default_str();

    bench::CoapLoad load;
    CLI::App* const enrol = app.add_subcommand("load", "Enrolments in blocks");
    enrol->add_option("PORT", load.port, "Of 127.0.0.1")->required();
    enrol->add_option("--sessions", load.sessions, "At a time")->capture_default_str();
    enrol->add_option("--requests", load.requests, "In all")->capture_default_str();
    enrol->add_option("--octets", load.octets, "Of a request, at most")->capture_default_str();

    bench::DtlsLoad dtls;
    CLI::App* const shake = app.add_subcommand("dtls", "Handshakes");
    shake->add_option("PORT", dtls.port, "Of 127.0.0.1")->required();
    shake->add_option("--handshakes", dtls.handshakes, "One after the other")
        ->capture_default_str();
    shake->add_option("--identity", dtls.identity, "Of the pre-shared key");
    shake->add_option("--psk", dtls.psk, "Instead of a certificate of the server");
    shake->add_option("--tries", dtls.tries, "Of one handshake")->check(CLI::PositiveNumber);
    shake->add_flag("--hold", dtls.hold, "Each asks once, and stays until standard input ends");
    CLI11_PARSE(app, argc, argv);

    rlimit limit{};  // an address is a descriptor
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (*serve) bench::serve_echo(echo);
    if (*gateway) bench::serve_gateway(octets);
    if (*shake) bench::load_dtls(dtls);
    if (*enrol) {
        const bench::CoapLoaded result = bench::load_coap(load);
        std::cout << R"({"octets":)" << result.octets << R"(,"answers":)" << result.answers
                  << R"(,"errors":)" << result.errors << "}\n";
        if (result.errors != 0) throw std::runtime_error(result.first_error);
    }
    return 0;
} catch (const std::exception& fault) {
    std::cerr << "cmpgate_bench_coap: " << fault.what() << '\n';
    return 1;
}
