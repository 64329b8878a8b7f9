#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

/// Runs every fuzz target over its corpus and over the vectors, without libFuzzer: each file whole
/// and each of its prefixes. A target that finds something aborts; the last line says where.

// X(fuzz_message) X(…): the targets as CMake knows them.
#define X(name) extern "C" int name(const std::uint8_t* data, std::size_t size);
CMPGATE_FUZZ_TARGETS
#undef X

namespace {

using Target = int (*)(const std::uint8_t*, std::size_t);
struct Named {
    const char* name;
    Target run;
};
#define X(name) {#name, &name},
const Named kTargets[] = {CMPGATE_FUZZ_TARGETS};
#undef X

std::size_t replay(const Named& target, const std::filesystem::path& folder) {
    std::size_t files = 0;
    if (!std::filesystem::is_directory(folder)) return files;
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        if (!entry.is_regular_file()) continue;
        std::ifstream file{entry.path(), std::ios::binary};
        const std::vector<char> octets{std::istreambuf_iterator<char>{file}, {}};
        std::printf("%s %s\n", target.name, entry.path().c_str());
        std::fflush(stdout);
        for (std::size_t size = 0; size <= octets.size(); ++size) {
            // A copy of exactly this size, so that ASan sees an octet read too many.
            const std::vector<std::uint8_t> part(
                octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(size));
            target.run(part.data(), part.size());
        }
        ++files;
    }
    return files;
}

}  // namespace

int main() {
    const std::filesystem::path tests{CMPGATE_SOURCE_DIR "/tests"};
    std::size_t empty = 0;
    for (const Named& target : kTargets) {
        const std::size_t corpus = replay(target, tests / "fuzz/corpus" / target.name);
        replay(target, tests / "vectors/cmp");
        if (corpus == 0) {
            std::printf("%s has no corpus\n", target.name);
            ++empty;
        }
    }
    return empty == 0 ? 0 : 1;
}
