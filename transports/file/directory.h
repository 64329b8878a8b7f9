#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "ra/base/bytes.h"
#include "transports/common/listen_socket.h"

namespace transports::file {

/// What became of a file that was to be made.
enum class Made : std::uint8_t {
    done,
    exists,  // nothing is overwritten
    fault,   // disk full, and the like
};

/// What was found under a name.
struct Found {
    enum class Kind : std::uint8_t {
        none,
        octets,      // one whole DER value
        unfinished,  // perhaps its writer is not through with it
        refused,     // `why`; nothing of it was believed
    } kind = Kind::none;
    ra::Bytes octets;
    std::string why;
    std::int64_t changed = 0;  // when, seconds since 1970
};

/// A directory, held open: what was checked is what is used, whatever becomes of its path. Symbolic
/// links are never followed, nothing is ever overwritten (S-46). Calls block on the disk.
class Directory {
public:
    /// Who may change what is in it, besides root and us.
    enum class Writers : std::uint8_t {
        us,      // it must be ours
        others,  // its owner and its group may: where peers put and take files
    };
    /// Opens `path`. Throws std::runtime_error: there is none, it is a symbolic link, somebody who
    /// must not may write there.
    static Directory open(const std::string& path, Writers writers);
    /// The same of a directory in this one, made (0700) if there is none.
    [[nodiscard]] Directory open_in(const char* name, Writers writers) const;

    [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }

    /// A whole message of at most `most` octets: a regular file with one name, whose owner may
    /// write to this directory and that nobody else may write to.
    [[nodiscard]] Found read(const std::string& name, std::size_t most) const;
    [[nodiscard]] bool has(const std::string& name) const noexcept;
    /// Written here, synced, and renamed to `name` in `to`, which is synced.
    [[nodiscard]] Made publish(ra::ByteView octets, const Directory& to,
                               const std::string& name) const;
    /// Renames. The file may be anything, also what read() refuses.
    [[nodiscard]] Made move(const std::string& name, const Directory& to,
                            const std::string& as) const;
    void remove(const std::string& name) const noexcept;
    /// Makes what was renamed and removed here last.
    void sync() const noexcept;

    struct Entry {
        std::string name;
        std::int64_t changed = 0;  // nanoseconds since 1970
    };
    /// Calls `each` with the names in it, in any order, until that returns false.
    void list(const std::function<bool(std::string_view name)>& each) const;
    /// When a file was last changed; nullopt: it is not there.
    [[nodiscard]] std::optional<std::int64_t> changed(const std::string& name) const noexcept;

private:
    Directory() = default;

    common::OwnedDescriptor descriptor_;
    std::string path_;
    unsigned owner_ = 0;
    unsigned group_ = 0;
    bool group_may_write_ = false;
};

/// The four directories of a spool: `in` (what peers bring), `out` (what they fetch), `failed`
/// (what was not taken, with the reason beside it), `work` (ours).
struct Spool {
    /// `path` must be there and ours. Throws std::runtime_error.
    explicit Spool(const std::string& path);
    /// From now on nobody else serves it. Throws std::runtime_error: somebody does.
    void claim() const;

    /// Moves what is called `name` in `from` to `failed`, with `why` beside it, under another name
    /// where that one is taken. False: there is no room for more (kMostFailed), or the disk
    /// refuses.
    [[nodiscard]] bool fail(const Directory& from, const std::string& name,
                            std::string_view why) const;

    static constexpr std::size_t kMostFailed = 2000;  // files, reasons included

private:
    std::string path_;

public:
    Directory in, out, failed, work;
};

}  // namespace transports::file
