#include "transports/file/client.h"

namespace transports::file {
namespace {

constexpr std::size_t kMostWaiting = 10'000;  // requests nobody carries away

std::string file_of(const std::string& name) { return name + ".pki"; }

}  // namespace

Made SpoolClient::put(const std::string& name, ra::ByteView der) {
    const std::lock_guard lock{mutex_};
    const std::string file = file_of(name);
    if (spool_.in.has(file)) return Made::exists;
    std::size_t waiting = 0;
    spool_.out.list([&waiting](std::string_view) { return ++waiting < kMostWaiting; });
    if (waiting >= kMostWaiting) return Made::fault;
    return spool_.work.publish(der, spool_.out, file);
}

bool SpoolClient::is_waiting(const std::string& name) const {
    return spool_.out.has(file_of(name));
}

Found SpoolClient::collect(const std::string& name) {
    const std::string file = file_of(name);
    Found found = spool_.in.read(file, most_);
    if (found.kind == Found::Kind::refused) {
        const std::lock_guard lock{mutex_};
        // What cannot be moved is looked at again; it is not believed then either.
        (void)spool_.fail(spool_.in, file, found.why);
    }
    return found;
}

void SpoolClient::refuse(const std::string& name, const std::string& why) {
    const std::lock_guard lock{mutex_};
    (void)spool_.fail(spool_.in, file_of(name), why);
}

void SpoolClient::forget(const std::string& name) {
    const std::string file = file_of(name);
    spool_.in.remove(file);
    spool_.out.remove(file);
    spool_.in.sync();
}

}  // namespace transports::file
