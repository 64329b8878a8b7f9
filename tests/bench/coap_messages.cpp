#include "tests/bench/coap_bench.h"

namespace bench {

using ra::app::bench::Template;
using ra::app::bench::TestPki;
using ra::cmp::BodyType;

namespace {

/// `make` with as many certificates as `octets` have room for.
template <class Make>
Template filled(std::size_t octets, Make make) {
    const TestPki pki = TestPki::make();
    const auto key = ra::crypto::PrivateKey::generate("ec:P-256");
    const ra::Bytes name = ra::crypto::name_of("CN=Issuing CA,O=Example");
    const ra::Bytes one = ra::app::bench::issue(pki, name, key->spki());
    ra::Bytes certificates;
    Template made = make(certificates);
    while (made.size() + one.size() <= octets) {
        ra::append(certificates, one);
        made = make(certificates);
    }
    return made;
}

}  // namespace

Template large_request(std::size_t octets) {
    return filled(octets, [](ra::ByteView certificates) {
        return ra::app::bench::prebuilt_request(BodyType::ir, true, certificates);
    });
}

Template large_answer(std::size_t octets) {
    return filled(octets, [](ra::ByteView certificates) {
        return ra::app::bench::prebuilt_answer(BodyType::ip, true, certificates);
    });
}

}  // namespace bench
