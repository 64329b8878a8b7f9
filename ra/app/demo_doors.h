#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "ra/app/server.h"

namespace ra::app {

/// The [[listener]] tables of the demonstration: HTTP on `port` of loopback, every other transport
/// on any free one. TLS shows tls.pem.
[[nodiscard]] std::string demo_listeners(std::uint16_t port);

/// Text of the script `message`, which writes a new enrolment message (ir, confirmed implicitly) of
/// device-1 as DER, or as what a transport wants around it: for the doors `openssl cmp` does not
/// speak.
[[nodiscard]] std::string demo_message_script();

/// One ready command for each door but plain HTTP, which the demonstration shows at length.
/// `directory`: that of its files.
void print_doors(std::ostream& out, const std::vector<Server::Served>& all,
                 const std::filesystem::path& directory);

}  // namespace ra::app
