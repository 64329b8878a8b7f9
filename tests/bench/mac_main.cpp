#include <openssl/crmf.h>
#include <openssl/obj_mac.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <iostream>
#include <vector>

#include "ra/base/random.h"
#include "ra/cmp/build.h"
#include "ra/cmp/oids.h"
#include "ra/crypto/mac.h"

/// Figure 9: what a MAC costs here and in libcrypto. Figure 9b: a message that costs as much as may
/// be asked for.
namespace {

using namespace ra;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kSecret = "k7w2m4q6z3x5v7t2r4p6n3l5j7h2f4d6";

struct Message {
    Bytes header, body, der;
};

Message protected_by(const crypto::MacParameters& parameters, std::string_view reference,
                     std::string_view secret, WallTime now) {
    SystemRandom random;
    const Bytes id = random.octets(16), nonce = random.octets(16);
    const Bytes algorithm = crypto::build_mac_algorithm(parameters);
    cmp::HeaderFields fields;
    fields.protection_alg = algorithm;
    fields.sender_kid = as_bytes(reference);
    fields.message_time = now;
    fields.transaction_id = id;
    fields.sender_nonce = nonce;
    Message made;
    made.header = cmp::build_header(fields);
    Bytes info{0x04, 0x82, 0x02, 0x00};
    info.resize(info.size() + 512);
    made.body = cmp::build_genm_body(cmp::oid::kCaCerts.view(), info);
    const auto key = crypto::MacKey::derive(parameters, as_bytes(secret)).value();
    made.der = crypto::protect_with_mac(key, made.header, made.body, {}).value();
    return made;
}

/// Parse, derive, verify, protect the answer: what one exchange costs the gateway of MACs.
void ours(const Message& message) {
    const auto parsed = cmp::parse_pki_message(message.der, {}).value();
    const auto parameters = crypto::parse_mac_parameters(*parsed.header.protection_alg, {}).value();
    const auto key = crypto::MacKey::derive(parameters, as_bytes(kSecret)).value();
    if (!crypto::verify_mac_protection(parsed, key)) throw std::runtime_error("does not verify");
    (void)crypto::protect_with_mac(key, message.header, message.body, {}).value();
}

/// The same by libcrypto: its CMP layer computes the whole PasswordBasedMac to verify, and again to
/// protect.
void theirs(const OSSL_CRMF_PBMPARAMETER* parameters, const Bytes& part) {
    for (int i = 0; i < 2; ++i) {
        unsigned char* mac = nullptr;
        std::size_t length = 0;
        if (OSSL_CRMF_pbm_new(nullptr, nullptr, parameters, part.data(), part.size(),
                              reinterpret_cast<const unsigned char*>(kSecret.data()),
                              kSecret.size(), &mac, &length) != 1) {
            throw std::runtime_error("OSSL_CRMF_pbm_new");
        }
        OPENSSL_free(mac);
    }
}

template <class Work>
double microseconds(unsigned rounds, const Work& work) {
    const auto begun = Clock::now();
    for (unsigned i = 0; i < rounds; ++i) work();
    return std::chrono::duration<double, std::micro>(Clock::now() - begun).count() / rounds;
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + std::ssize(values) / 2;
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

void compare(std::uint32_t iterations, bool quick) {
    const crypto::MacParameters parameters{crypto::MacKind::passwordBasedMac, Bytes(16, 7),
                                           iterations};
    const Message message = protected_by(parameters, "press-17", kSecret, WallTime{});
    const Bytes part = cmp::build_protected_part(message.header, message.body);
    OSSL_CRMF_PBMPARAMETER* const theirs_as =
        OSSL_CRMF_pbmp_new(nullptr, 16, NID_sha256, iterations, NID_hmacWithSHA256);
    if (theirs_as == nullptr) throw std::runtime_error("OSSL_CRMF_pbmp_new");
    const unsigned rounds = quick ? 3 : std::max(20U, 1'000'000 / iterations);
    std::vector<double> a, b;
    for (int repeat = 0; repeat < (quick ? 3 : 9); ++repeat) {
        const double one = microseconds(rounds, [&] { ours(message); });
        const double two = microseconds(rounds, [&] { theirs(theirs_as, part); });
        if (repeat == 0) continue;  // the first warms up
        a.push_back(one);
        b.push_back(two);
    }
    OSSL_CRMF_PBMPARAMETER_free(theirs_as);
    std::cout << R"({"iterations":)" << iterations << R"(,"ours_us":)" << median(a)
              << R"(,"libcrypto_us":)" << median(b) << R"(,"ratio":)" << median(a) / median(b)
              << "}\n";
}

}  // namespace

int main(int argc, char** argv) try {
    CLI::App app{"What MACs cost"};
    app.require_subcommand(1);
    bool quick = false;
    CLI::App* figure = app.add_subcommand("compare", "Figure 9, a JSON object a line");
    figure->add_flag("--quick", quick, "Few repeats");
    std::uint32_t iterations = 100'000;
    CLI::App* message = app.add_subcommand("message", "A genm under PBMAC1 that verifies nowhere");
    message->add_option("--iterations", iterations, "Of its key derivation")->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    if (*figure) {
        for (const std::uint32_t count : {500U, 10'000U}) compare(count, quick);
        return 0;
    }
    const crypto::MacParameters parameters{
        crypto::MacKind::pbmac1, Bytes(16, 7), iterations, "SHA512", "SHA512", 64};
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const Message made = protected_by(parameters, "nobody", "nothing", now);
    std::cout.write(reinterpret_cast<const char*>(made.der.data()),
                    static_cast<std::streamsize>(made.der.size()));
    return 0;
} catch (const std::exception& fault) {
    std::cerr << "cmpgate_bench_mac: " << fault.what() << '\n';
    return 1;
}
