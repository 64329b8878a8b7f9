#include <exception>
#include <iostream>
#include <memory>

#include "tests/support/bad_http_server.h"
#include "tests/support/ca_options.h"
#include "tests/support/ca_server.h"
#include "tests/support/misbehaving_ca.h"

namespace {

std::string fault_names() {
    std::string all;
    for (const auto& names : {test::answer_fault_names(), test::delivery_fault_names()}) {
        for (const std::string_view name : names) (all += ' ') += name;
    }
    return all;
}

}  // namespace

/// A CA that misbehaves, for tests: prints its URL and serves until SIGTERM.
int main(int argc, char** argv) {
    CLI::App app{"A lab CA over HTTP on 127.0.0.1 that misbehaves, for tests"};
    test::CaOptions options;
    options.add_to(app);
    std::string fault = "none";
    long delay = 5000;
    app.add_option("--fault", fault, "One of:" + fault_names())->required();
    app.add_option("--delay", delay, "Milliseconds, with --fault late");
    CLI11_PARSE(app, argc, argv);
    try {
        const auto answer = test::answer_fault(fault);
        const auto delivery = test::delivery_fault(fault);
        if (!answer && !delivery)
            throw std::runtime_error("--fault " + fault + ": one of" + fault_names());
        test::block_end_signals();
        const ra::SystemClock clock;
        ra::SystemRandom random;
        ra::labca::LabCa ca{options.settings(), clock, random};
        options.write_files(ca);
        if (delivery) {
            const test::BadHttpServer server{ca, *delivery, std::chrono::milliseconds{delay},
                                             options.port};
            std::cout << "http://127.0.0.1:" << server.port() << "/.well-known/cmp" << std::endl;
            test::wait_for_end();
            return 0;
        }
        test::MisbehavingCa bad{ca, *answer};
        const test::CaServer server{bad, options.port};
        std::cout << server.url() << std::endl;
        test::wait_for_end();
        return server.faults() == 0 ? 0 : 1;
    } catch (const std::exception& fault_at_start) {
        std::cerr << fault_at_start.what() << '\n';
        return 1;
    }
}
