#include "tests/bench/in_process.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <stdexcept>

#include "ra/base/random.h"
#include "ra/cmp/body.h"
#include "ra/crypto/files.h"
#include "ra/crypto/signer.h"

namespace bench {

using namespace ra;

double thread_cpu_us() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

namespace {

/// Microseconds a call, the best of a few rounds: neighbours only ever add.
template <class Work>
double best_of(unsigned calls, const Work& work) {
    constexpr int kRounds = 5;
    double best = 0;
    for (int round = 0; round < kRounds; ++round) {
        const double before = thread_cpu_us();
        for (unsigned i = 0; i < calls; ++i) work();
        const double took = (thread_cpu_us() - before) / calls;
        best = round == 0 ? took : std::min(best, took);
    }
    return best;
}

void require(bool good, const char* what) {
    if (!good) throw std::runtime_error(what);
}

}  // namespace

CryptoCost crypto_cost() {
    const auto key = crypto::PrivateKey::generate("ec:P-256");
    const Bytes message = SystemRandom{}.octets(600);
    const Bytes signature = key->sign(message).value();
    const auto verifier = crypto::PublicKey::from_spki(key->spki()).value();
    cmp::AlgorithmIdentifier algorithm;
    algorithm.whole = key->algorithm();
    asn1::DerReader outer{algorithm.whole};
    asn1::DerReader inner{outer.read(asn1::Tag::sequence, "algorithm").value()};
    algorithm.algorithm = inner.read_oid("algorithm").value();

    CryptoCost cost;
    cost.verify = best_of(
        500, [&] { require(bool(verifier.verify(algorithm, signature, message)), "verify"); });
    cost.key =
        best_of(2000, [&] { require(bool(crypto::PublicKey::from_spki(key->spki())), "key"); });
    return cost;
}

std::vector<ParseCost> parse_costs(const std::string& folder) {
    std::vector<ParseCost> costs;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
        if (file.path().extension() != ".der") continue;
        const Bytes der = crypto::load_file(file.path().string());
        const cmp::Limits limits;
        const auto parse = [&] {
            const auto message = cmp::parse_pki_message(der, limits);
            require(message && cmp::check_body(*message, limits), "a vector does not parse");
        };
        costs.push_back({file.path().stem().string(), der.size(), 1000 * best_of(5000, parse)});
    }
    std::sort(costs.begin(), costs.end(),
              [](const ParseCost& a, const ParseCost& b) { return a.name < b.name; });
    return costs;
}

}  // namespace bench
