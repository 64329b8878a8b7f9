#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "ra/crypto/files.h"
#include "ra/crypto/signer.h"
#include "ra/crypto/trust.h"

using namespace ra;
using crypto::Credential;
using crypto::PrivateKey;

namespace {

namespace fs = std::filesystem;

/// A folder of the test's own, gone with it, in which shell commands run.
class Workshop {
public:
    Workshop() {
        std::string name = (fs::temp_directory_path() / "cmpgate-keys-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    Workshop(const Workshop&) = delete;
    Workshop& operator=(const Workshop&) = delete;
    ~Workshop() { fs::remove_all(path_); }

    [[nodiscard]] std::string operator/(std::string_view name) const { return path_ / name; }
    [[nodiscard]] bool run(const std::string& command) const {
        const std::string whole = "cd '" + path_.string() + "' && (" + command + ") >log 2>&1";
        return std::system(whole.c_str()) == 0;  // NOLINT(concurrency-mt-unsafe)
    }

private:
    fs::path path_;
};

/// A root, an issuing CA and a gateway's certificate, made by the openssl command.
constexpr const char* kMakeChain =
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -out "
    "root.pem -subj /CN=root -days 30 && "
    "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -subj /CN=ca | "
    "openssl x509 -req -CA root.pem -CAkey root.key -CAcreateserial -days 30 -out ca.pem && "
    "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ra.key -subj /CN=ra | "
    "openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out ra.pem";

void check_signs(const PrivateKey& key) {
    const Bytes data = to_bytes(as_bytes("what is signed"));
    const auto signature = key.sign(data);
    REQUIRE(signature.has_value());
    const auto half = crypto::PublicKey::from_spki(key.spki());
    REQUIRE(half.has_value());
    asn1::DerReader outer{key.algorithm()};
    const auto content = outer.read(asn1::Tag::sequence, "algorithm");
    REQUIRE(content.has_value());
    asn1::DerReader reader{*content};
    cmp::AlgorithmIdentifier algorithm;
    algorithm.whole = key.algorithm();
    algorithm.algorithm = *reader.read_oid("algorithm");
    algorithm.parameters = reader.rest();
    CHECK(half->verify(algorithm, *signature, data).has_value());
}

std::string message_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const std::exception& fault) {
        return fault.what();
    }
    return {};
}

bool says(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("ra/crypto") {
    TEST_CASE("PrivateKey::load: every form a key file has") {
        const Workshop shop;
        REQUIRE(shop.run(kMakeChain));
        REQUIRE(shop.run(
            "openssl pkcs8 -topk8 -in ra.key -nocrypt -outform DER -out pkcs8.der && "
            "openssl pkcs8 -topk8 -in ra.key -passout pass:open -out encrypted.pem && "
            "openssl pkcs8 -topk8 -in ra.key -passout pass:open -outform DER -out encrypted.der && "
            "openssl ec -in ra.key -out traditional.pem && "
            "openssl ec -in ra.key -outform DER -out traditional.der"));
        struct Row {
            const char* file;
            const char* passphrase;
        };
        const Row rows[] = {
            {"ra.key", ""},          {"pkcs8.der", ""},         {"traditional.pem", ""},
            {"traditional.der", ""}, {"encrypted.pem", "open"}, {"encrypted.der", "open"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.file);
            check_signs(*PrivateKey::load(shop / row.file, row.passphrase));
        }
        for (const char* file : {"encrypted.pem", "encrypted.der"}) {
            for (const char* wrong : {"", "shut"}) {
                CAPTURE(file);
                CHECK(says(message_of([&] { (void)PrivateKey::load(shop / file, wrong); }),
                           "wrong passphrase?"));
            }
        }
        CHECK(says(message_of([&] { (void)PrivateKey::load(shop / "ra.pem"); }),
                   "holds no private key"));
    }

    TEST_CASE("Credential::load_pkcs12: key and chain of one file, without the root") {
        const Workshop shop;
        REQUIRE(shop.run(kMakeChain));
        REQUIRE(shop.run(
            "cat root.pem ca.pem >others.pem && "
            "openssl pkcs12 -export -inkey ra.key -in ra.pem -certfile others.pem -out ra.p12 "
            "-passout pass:open && "
            "openssl pkcs12 -export -nokeys -in ra.pem -out keyless.p12 -passout pass:open"));

        const auto loaded = Credential::load_pkcs12("ra", shop / "ra.p12", "open");
        REQUIRE(loaded->chain.size() == 2);
        CHECK(loaded->chain[0] == loaded->certificate);
        CHECK(equal(loaded->chain[0]->der(),
                    crypto::load_objects(shop / "ra.pem", "CERTIFICATE")[0]));
        CHECK(equal(loaded->chain[1]->der(),
                    crypto::load_objects(shop / "ca.pem", "CERTIFICATE")[0]));
        check_signs(*loaded->key);

        const auto fault = [&](const char* file, const char* passphrase) {
            return message_of(
                [&] { (void)Credential::load_pkcs12("ra", shop / file, passphrase); });
        };
        CHECK(says(fault("ra.p12", "shut"), "wrong passphrase"));
        CHECK(says(fault("ra.p12", ""), "wrong passphrase"));
        CHECK(says(fault("keyless.p12", "open"), "without a key"));
        CHECK(says(fault("ra.pem", "open"), "is no PKCS #12 file"));
    }

    TEST_CASE("PrivateKey::open_token: a key that stays in its token") {
        constexpr const char* kModule = "/usr/lib/softhsm/libsofthsm2.so";
        if (!fs::exists(kModule)) {
            std::puts("SKIPPED: SoftHSM is not installed: no key in a token");
            return;
        }
        // The module reads its settings once a process; it keeps the folder until the end.
        static const Workshop shop;
        static const bool made = [] {
            std::ofstream{shop / "softhsm2.conf"} << "directories.tokendir = " << (shop / "tokens")
                                                  << "\nlog.level = ERROR\n";
            fs::create_directory(shop / "tokens");
            ::setenv("SOFTHSM2_CONF", (shop / "softhsm2.conf").c_str(), 1);
            return shop.run(kMakeChain) &&
                   shop.run(
                       "openssl pkcs8 -topk8 -nocrypt -in ra.key -out ra8.key && "
                       "softhsm2-util --init-token --free --label ra --pin 1234 --so-pin 5678 && "
                       "softhsm2-util --import ra8.key --token ra --label ra-key --id 01 "
                       "--pin 1234");
        }();
        REQUIRE(made);
        const std::string module = std::string("?module-path=") + kModule;
        const auto key = PrivateKey::open_token("pkcs11:token=ra;object=ra-key" + module, "1234");
        check_signs(*key);
        CHECK(crypto::same_public_key(key->spki(), PrivateKey::load(shop / "ra.key")->spki()));
        const auto credential =
            Credential::of("ra", key, crypto::load_certificates(shop / "ra.pem"));
        CHECK(credential->certificate->subject().size() > 0);
        CHECK_THROWS_AS((void)key->pem(), std::runtime_error);

        const auto fault = [&](const std::string& uri, const char* pin) {
            return message_of([&] { (void)PrivateKey::open_token(uri, pin); });
        };
        CHECK(says(fault("pkcs11:token=ra;object=other" + module, "1234"), "no such key"));
        CHECK(says(fault("pkcs11:token=ra;object=ra-key?module-path=/nowhere.so", "1234"),
                   "there is no module /nowhere.so"));
        // No text of a fault repeats the PIN.
        CHECK_FALSE(says(fault("pkcs11:token=ra;object=other" + module, "98765"), "98765"));
    }
}
