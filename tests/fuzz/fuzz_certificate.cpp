#include <cstdlib>

#include "ra/asn1/certificate.h"
#include "ra/asn1/name.h"
#include "ra/asn1/oids.h"

/// The certificate walk and the names in it.

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto view = ra::asn1::parse_certificate({data, size});
    if (!view.has_value()) {
        if (view.error().offset > size) std::abort();
        return 0;
    }
    if (view->whole.size() != size || view->tbs.size() >= size) std::abort();
    static_cast<void>(ra::asn1::name_text(view->subject));
    static_cast<void>(ra::asn1::name_text(view->issuer));
    static_cast<void>(view->extension(ra::asn1::oid("2.5.29.17").view()));
    return 0;
}
