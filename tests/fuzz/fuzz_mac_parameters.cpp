#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ra/cmp/fields.h"
#include "ra/crypto/mac.h"

/// protectionAlg of a MAC: what is taken is within the limits, and is read again as it is written.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ra;
    asn1::DerReader reader{ByteView{data, size}};
    const auto algorithm = cmp::read_algorithm(reader, "protectionAlg");
    if (!algorithm) return 0;
    const crypto::MacLimits limits;
    const auto parameters = crypto::parse_mac_parameters(*algorithm, limits);
    if (!parameters) return 0;
    const bool within = parameters->iterations >= limits.least_iterations &&
                        parameters->iterations <= limits.most_iterations &&
                        parameters->salt.size() >= limits.least_salt &&
                        parameters->salt.size() <= limits.most_salt &&
                        parameters->key_octets >= 16 && parameters->key_octets <= 64;
    if (!within) std::abort();

    const Bytes written = crypto::build_mac_algorithm(*parameters);
    asn1::DerReader again_reader{written};
    const auto again_algorithm = cmp::read_algorithm(again_reader, "protectionAlg");
    if (!again_algorithm) std::abort();
    const auto again = crypto::parse_mac_parameters(*again_algorithm, limits);
    if (!again || again->kind != parameters->kind || again->salt != parameters->salt ||
        again->iterations != parameters->iterations || again->nonce != parameters->nonce ||
        again->key_octets != parameters->key_octets ||
        std::string_view{again->mac} != parameters->mac ||
        std::string_view{again->derivation} != parameters->derivation) {
        std::abort();
    }
    if (parameters->iterations > 1000) return 0;  // the parser is what is looked at
    const auto key = crypto::MacKey::derive(*parameters, as_bytes("secret"));
    if (key) (void)key->compute(ByteView{data, size});
    return 0;
}
