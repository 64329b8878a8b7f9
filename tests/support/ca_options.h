#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "ra/labca/lab_ca.h"

namespace test {

/// What the CA programs of the tests have in common on the command line.
struct CaOptions {
    std::vector<std::string> trust, ra_trust, secrets;
    std::string write, device;
    unsigned poll_count = 0;
    long check_after = 1, validity = 365 * 86'400L;
    bool no_implicit_confirm = false, ca_pubs = false;
    std::uint16_t port = 0;

    void add_to(CLI::App& app);
    /// Throws std::runtime_error naming the file that cannot be loaded.
    [[nodiscard]] ra::labca::Settings settings() const;
    /// root.pem, responder.pem; device.pem and device.key if a device is wanted.
    void write_files(ra::labca::LabCa& ca) const;
};

/// Call before any thread is made: SIGTERM and SIGINT are then taken by wait_for_end() alone.
void block_end_signals();
void wait_for_end();

}  // namespace test
