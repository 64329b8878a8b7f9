// The engine of Debian 12 is reached by interfaces that OpenSSL 3 deprecates and Debian 13's
// provider replaces; only this file names them.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/conf.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <stdexcept>

#include "ra/base/secret.h"
#include "ra/crypto/evp_private_key.h"

/// Keys in a PKCS #11 token (RFC 7512).
namespace ra::crypto {
namespace {

/// "pkcs11:token=ra;object=key?module-path=/…": the part that names the key, and the module.
struct TokenUri {
    std::string path;  // "pkcs11:…" without the query
    std::string module;

    static TokenUri parse(std::string_view text) {
        TokenUri uri;
        const auto query = text.find('?');
        uri.path = std::string(text.substr(0, query));
        std::string_view rest =
            query == std::string_view::npos ? std::string_view{} : text.substr(query + 1);
        while (!rest.empty()) {
            const auto end = std::min(rest.find('&'), rest.size());
            const std::string_view part = rest.substr(0, end);
            rest.remove_prefix(std::min(end + 1, rest.size()));
            if (part.starts_with("module-path=")) uri.module = part.substr(12);
        }
        return uri;
    }
};

[[noreturn]] void refuse(std::string_view uri, const std::string& why) {
    ERR_clear_error();
    throw std::runtime_error(std::string(uri) + ": " + why);
}

/// Engines stay loaded: modules do not survive being unloaded while others use them.
ENGINE* engine_for(const std::string& module, std::string_view uri) {
    static std::mutex mutex;
    static std::map<std::string, ENGINE*> engines;
    const std::lock_guard lock{mutex};
    if (const auto found = engines.find(module); found != engines.end()) return found->second;
    ENGINE_load_dynamic();
    ENGINE* const engine = ENGINE_by_id("dynamic");
    const bool loaded = engine != nullptr &&
                        ENGINE_ctrl_cmd_string(engine, "SO_PATH", CMPGATE_PKCS11_ENGINE, 0) == 1 &&
                        ENGINE_ctrl_cmd_string(engine, "ID", "pkcs11", 0) == 1 &&
                        ENGINE_ctrl_cmd_string(engine, "LIST_ADD", "0", 0) == 1 &&
                        ENGINE_ctrl_cmd_string(engine, "LOAD", nullptr, 0) == 1;
    if (!loaded) {
        ENGINE_free(engine);
        refuse(uri,
               "neither OpenSSL's pkcs11 provider nor its pkcs11 engine is installed (Debian "
               "12: libengine-pkcs11-openssl, Debian 13: pkcs11-provider)");
    }
    if (!module.empty() && ENGINE_ctrl_cmd_string(engine, "MODULE_PATH", module.c_str(), 0) != 1) {
        ENGINE_free(engine);
        refuse(uri, "the engine takes no module-path");
    }
    if (ENGINE_init(engine) != 1) {
        ENGINE_free(engine);
        refuse(uri, module.empty() ? "the default module (p11-kit) does not start"
                                   : "the module " + module + " does not start");
    }
    engines.emplace(module, engine);
    return engine;
}

/// An anonymous file with libcrypto's configuration.
class ConfigFile {
public:
    explicit ConfigFile(std::string_view text) : file_{::memfd_create("openssl.cnf", MFD_CLOEXEC)} {
        const bool written = file_ >= 0 && ::write(file_, text.data(), text.size()) ==
                                               static_cast<ssize_t>(text.size());
        if (!written) throw std::runtime_error("no memory file for the provider's configuration");
    }
    ConfigFile(const ConfigFile&) = delete;
    ConfigFile& operator=(const ConfigFile&) = delete;
    ~ConfigFile() { ::close(file_); }
    [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

private:
    int file_;
};

/// A library context with the pkcs11 provider for this module; null: there is no such provider.
LibContextPtr provider_for(const std::string& module) {
    static std::mutex mutex;
    static std::map<std::string, LibContextPtr> contexts;
    const std::lock_guard lock{mutex};
    if (const auto found = contexts.find(module); found != contexts.end()) return found->second;
    // SoftHSM crashes when it is finalised or asked for the state of an operation. A section called
    // "default" would be that of every name without a section.
    const ConfigFile config{
        "openssl_conf = init\n[init]\nproviders = all\n[all]\ndefault = ours\npkcs11 = token\n"
        "[ours]\nactivate = 1\n[token]\n" +
        (module.empty() ? std::string{} : "pkcs11-module-path = " + module + "\n") +
        "pkcs11-module-quirks = no-deinit no-operation-state\nactivate = 1\n"};
    LibContextPtr context{OSSL_LIB_CTX_new(), [](OSSL_LIB_CTX* one) { OSSL_LIB_CTX_free(one); }};
    const bool there = context != nullptr &&
                       OSSL_LIB_CTX_load_config(context.get(), config.path().c_str()) == 1 &&
                       OSSL_PROVIDER_available(context.get(), "pkcs11") == 1;
    ERR_clear_error();
    return contexts[module] = there ? std::move(context) : nullptr;
}

using StorePtr = std::unique_ptr<OSSL_STORE_CTX, Freed<OSSL_STORE_close>>;
using UiMethodPtr = std::unique_ptr<UI_METHOD, Freed<UI_destroy_method>>;
using StoreInfoPtr = std::unique_ptr<OSSL_STORE_INFO, Freed<OSSL_STORE_INFO_free>>;

int give_pin(char* buffer, int size, int, void* user) noexcept {
    const auto* const pin = static_cast<const std::string_view*>(user);
    if (pin->empty() || pin->size() > static_cast<std::size_t>(size)) return -1;
    std::copy(pin->begin(), pin->end(), buffer);
    return static_cast<int>(pin->size());
}

EvpKeyPtr load_by_provider(const LibContextPtr& context, const std::string& uri,
                           std::string_view pin) {
    const UiMethodPtr ask{UI_UTIL_wrap_read_pem_callback(give_pin, 0)};
    const StorePtr store{OSSL_STORE_open_ex(uri.c_str(), context.get(), "?provider=pkcs11",
                                            ask.get(), &pin, nullptr, nullptr, nullptr)};
    while (store != nullptr && OSSL_STORE_eof(store.get()) == 0) {
        const StoreInfoPtr info{OSSL_STORE_load(store.get())};
        if (info == nullptr) break;
        if (OSSL_STORE_INFO_get_type(info.get()) == OSSL_STORE_INFO_PKEY)
            return EvpKeyPtr{OSSL_STORE_INFO_get1_PKEY(info.get())};
    }
    return nullptr;
}

EvpKeyPtr load_by_engine(ENGINE* engine, const std::string& uri, std::string_view pin) {
    // One token after the other: the engine has one PIN at a time. In the URI it would be printed
    // with the engine's complaints.
    static std::mutex mutex;
    const std::lock_guard lock{mutex};
    std::string text{pin};
    const bool told = pin.empty() || ENGINE_ctrl_cmd_string(engine, "PIN", text.c_str(), 0) == 1;
    wipe(text.data(), text.size());
    if (!told) return nullptr;
    // Without a way to ask, it would ask on the terminal.
    const UiMethodPtr ask{UI_UTIL_wrap_read_pem_callback(give_pin, 0)};
    return EvpKeyPtr{ENGINE_load_private_key(engine, uri.c_str(), ask.get(), &pin)};
}

}  // namespace

PrivateKeyPtr PrivateKey::open_token(std::string_view uri, std::string_view pin) {
    const TokenUri named = TokenUri::parse(uri);
    if (!named.module.empty() && ::access(named.module.c_str(), R_OK) != 0)
        refuse(uri, "there is no module " + named.module);
    std::string path = named.path;
    if (path.find("type=") == std::string::npos) path += ";type=private";
    LibContextPtr context = provider_for(named.module);
    EvpKeyPtr key = context != nullptr ? load_by_provider(context, path, pin)
                                       : load_by_engine(engine_for(named.module, uri), path, pin);
    if (key == nullptr) refuse(uri, "no such key in the token (or the PIN is wrong)");
    ERR_clear_error();
    return own_private_key(std::move(key), KeyHome::token, std::move(context));
}

}  // namespace ra::crypto
