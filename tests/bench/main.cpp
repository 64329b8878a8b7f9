#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "tests/bench/in_process.h"

int main(int argc, char** argv) try {
    CLI::App app{"Measures inside one process; one JSON object a line"};
    app.require_subcommand(1);
    CLI::App* crypto = app.add_subcommand("crypto", "What libcrypto alone costs");

    std::string vectors;
    CLI::App* parse = app.add_subcommand("parse", "Parse times of the vectors");
    parse->add_option("FOLDER", vectors, "Of .der files")->required();

    std::string pki;
    bool opaque = false;
    unsigned threads = 1, messages = 1000;
    CLI::App* gateway = app.add_subcommand("gateway", "The gateway without sockets");
    gateway->add_option("--pki", pki, "Test PKI of cmpgate bench")->required();
    gateway->add_option("--threads", threads, "Workers at a time")->capture_default_str();
    gateway->add_option("--messages", messages, "Of each")->capture_default_str();
    gateway->add_flag("--opaque", opaque, "Relayed instead of checked");
    CLI11_PARSE(app, argc, argv);

    if (*crypto) {
        const bench::CryptoCost cost = bench::crypto_cost();
        std::cout << R"({"verify_us":)" << cost.verify << R"(,"key_us":)" << cost.key << "}\n";
    }
    if (*parse) {
        for (const bench::ParseCost& cost : bench::parse_costs(vectors)) {
            std::cout << R"({"name":")" << cost.name << R"(","octets":)" << cost.octets
                      << R"(,"ns":)" << cost.nanoseconds << "}\n";
        }
    }
    if (*gateway) {
        std::cout << R"({"us":)" << bench::gateway_cost(pki, opaque, threads, messages) << "}\n";
    }
    return 0;
} catch (const std::exception& fault) {
    std::cerr << "cmpgate_bench: " << fault.what() << '\n';
    return 1;
}
