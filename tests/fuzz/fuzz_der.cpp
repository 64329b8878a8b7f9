#include <cstdlib>

#include "ra/asn1/der_reader.h"
#include "ra/asn1/der_writer.h"

/// The DER reader: what it reads, written again, has the same octets.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ra::ByteView octets{data, size};
    static_cast<void>(ra::asn1::check_der(octets, 16, "der"));
    ra::asn1::DerReader reader{octets};
    while (!reader.at_end()) {
        ra::asn1::DerReader as_integer = reader;
        if (const auto number = as_integer.read_integer("integer"); number.has_value()) {
            ra::asn1::DerWriter writer;
            writer.integer(*number);
            const std::size_t length = writer.view().size();
            if (!ra::equal(writer.view(), reader.rest().first(length))) std::abort();
        }
        const auto tlv = reader.read_any("tlv");
        if (!tlv.has_value()) break;
        ra::asn1::DerWriter writer;
        writer.tlv(tlv->tag, tlv->content);
        if (!ra::equal(writer.view(), tlv->whole)) std::abort();
    }
    return 0;
}
