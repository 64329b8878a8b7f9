#include <exception>
#include <iostream>

#include "tests/support/ca_options.h"
#include "tests/support/ca_server.h"

/// The lab CA as a process of its own, for tests: prints its URL and serves until SIGTERM.
int main(int argc, char** argv) {
    CLI::App app{"The lab CA over HTTP on 127.0.0.1, for tests"};
    test::CaOptions options;
    options.add_to(app);
    CLI11_PARSE(app, argc, argv);
    try {
        test::block_end_signals();
        const ra::SystemClock clock;
        ra::SystemRandom random;
        ra::labca::LabCa ca{options.settings(), clock, random};
        options.write_files(ca);
        const test::CaServer server{ca, options.port};
        std::cout << server.url() << std::endl;
        test::wait_for_end();
        return server.faults() == 0 ? 0 : 1;
    } catch (const std::exception& fault) {
        std::cerr << fault.what() << '\n';
        return 1;
    }
}
