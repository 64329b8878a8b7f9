#include "ra/crypto/files.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "ra/crypto/ossl.h"

namespace ra::crypto {
namespace {

constexpr std::size_t kMostOctets = 16 * 1024 * 1024;

}  // namespace

Bytes load_file(const std::string& path) {
    errno = 0;
    std::ifstream in{path, std::ios::binary};
    if (!in) throw std::runtime_error(path + ": " + std::strerror(errno != 0 ? errno : ENOENT));
    Bytes octets{std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
    if (octets.size() > kMostOctets) throw std::runtime_error(path + ": larger than 16 MiB");
    return octets;
}

std::vector<Bytes> load_objects(const std::string& path, std::string_view label) {
    const Bytes octets = load_file(path);
    std::vector<Bytes> all;
    if (!octets.empty() && octets[0] == 0x30) {
        all.push_back(octets);
        return all;
    }
    const BioPtr bio{BIO_new_mem_buf(octets.data(), static_cast<int>(octets.size()))};
    char* name = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long length = 0;
    while (PEM_read_bio(bio.get(), &name, &header, &data, &length) == 1) {
        if (std::string_view{name}.ends_with(label)) all.emplace_back(data, data + length);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
    }
    if (all.empty())
        throw std::runtime_error(path + ": holds no " + std::string(label) + " in PEM or DER");
    return all;
}

std::string pem_text(std::string_view label, ByteView der) {
    const BioPtr bio{BIO_new(BIO_s_mem())};
    char* text = nullptr;
    if (bio == nullptr || PEM_write_bio(bio.get(), std::string(label).c_str(), "", der.data(),
                                        static_cast<long>(der.size())) <= 0) {
        throw std::runtime_error("cannot write PEM");
    }
    const long length = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(length)};
}

}  // namespace ra::crypto
