#include "transports/file/server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <utility>

#include "transports/file/names.h"

namespace transports::file {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t kMostListed = 10'000;     // names of one look into `in`
constexpr std::size_t kMostUnfetched = 10'000;  // answers nobody fetches
constexpr std::size_t kMostUnfinished = 256;    // files waited for
constexpr std::size_t kMostAnnouncements = 64;  // not yet written
constexpr milliseconds kUnfinishedAgain{200};
constexpr milliseconds kFaultAgain{5'000};

std::size_t count_of(const Directory& directory, std::size_t most) {
    std::size_t count = 0;
    directory.list([&](std::string_view) { return ++count < most; });
    return count;
}

}  // namespace

struct FileServer::Mailbox {
    Mailbox() : bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {}

    void ring() const noexcept {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t rung = ::write(bell.get(), &one, sizeof one);
    }
    template <class Change>
    void change(Change make) {
        {
            const std::lock_guard lock{mutex};
            make();
        }
        ring();
    }

    const common::OwnedDescriptor bell;
    std::mutex mutex;
    std::deque<std::pair<std::string, ra::Reply>> replies;
    std::deque<ra::Bytes> announcements;
    std::optional<FileServerSettings> settings;
    bool taking = false;
    bool ended = false;
};

FileServer::FileServer(const std::string& path, FileServerSettings settings,
                       std::vector<Seat> seats, FileServerCounters& counters, Report report)
    : spool_{path},
      seats_{std::move(seats)},
      counters_{counters},
      report_{std::move(report)},
      mailbox_{std::make_shared<Mailbox>()},
      settings_{std::move(settings)} {
    spool_.claim();
    watch();
}

void FileServer::start() {
    mailbox_->change([this] { mailbox_->taking = true; });
}
void FileServer::stop() {
    mailbox_->change([this] { mailbox_->taking = false; });
}
void FileServer::end() {
    mailbox_->change([this] { mailbox_->ended = true; });
}
void FileServer::use(FileServerSettings settings) {
    mailbox_->change([&] { mailbox_->settings = std::move(settings); });
}

void FileServer::publish(ra::Bytes message) {
    mailbox_->change([&] {
        if (mailbox_->announcements.size() < kMostAnnouncements)
            mailbox_->announcements.push_back(std::move(message));
    });
}

bool FileServer::deserted() const noexcept {
    const std::lock_guard lock{mailbox_->mutex};
    return !mailbox_->taking && idle_.load() && mailbox_->replies.empty();
}

/// The kernel says when a file was written or renamed into `in`. Without its word `rescan` does.
void FileServer::watch() {
    inotify_ = common::OwnedDescriptor{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
    if (inotify_.get() < 0) return;
    // The directory that was checked, whatever is at its path now.
    const std::string in = "/proc/self/fd/" + std::to_string(spool_.in.descriptor());
    ::inotify_add_watch(inotify_.get(), in.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR);
}

void FileServer::run() {
    bool begun = false;
    for (;;) {
        std::deque<std::pair<std::string, ra::Reply>> replies;
        std::deque<ra::Bytes> announcements;
        bool taking = false;
        bool ended = false;
        {
            const std::lock_guard lock{mailbox_->mutex};
            replies.swap(mailbox_->replies);
            announcements.swap(mailbox_->announcements);
            taking = mailbox_->taking;
            ended = mailbox_->ended;
            if (mailbox_->settings) settings_ = *std::exchange(mailbox_->settings, std::nullopt);
        }
        for (const auto& [name, reply] : replies) {
            --under_way_;
            counters_.under_way.subtract();
            answer(name, reply);
        }
        for (const ra::Bytes& message : announcements) put_announcement(message);
        if (ended) return;
        if (taking) {
            if (!std::exchange(begun, true)) take_up_again();
            look_again();
            if (look_) look_ = take();
        }
        idle_ = under_way_ == 0;
        wait();
    }
}

/// What the last process was at when it ended.
void FileServer::take_up_again() {
    std::vector<std::string> names;
    spool_.work.list([&names](std::string_view name) {
        if (is_message_name(name)) names.emplace_back(name);
        return true;
    });
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
        if (spool_.out.has(name)) {
            spool_.work.remove(name);  // answered already: only this was left to do
        } else {
            later(name, milliseconds{0});
        }
    }
}

/// Takes what is in `in`, as far as there is room; false: nothing is left there for us.
bool FileServer::take() {
    if (!has_room()) return true;
    std::vector<std::pair<std::int64_t, std::string>> found;
    spool_.in.list([&](std::string_view name) {
        if (!is_message_name(name)) return true;
        std::string text{name};
        if (const auto changed = spool_.in.changed(text))
            found.emplace_back(*changed, std::move(text));
        return found.size() < kMostListed;
    });
    std::sort(found.begin(), found.end());
    bool left = found.size() == kMostListed;
    for (const auto& [changed, name] : found) {
        if (under_way_ >= settings_.at_once || waiting_.size() >= kMostUnfinished || full_)
            return true;
        // One of the same name is under way: this one's turn comes when that is answered.
        if (spool_.work.has(name)) {
            left = true;
        } else if (spool_.out.has(name)) {
            fail(spool_.in, name, "an answer of this name waits in out; nothing is overwritten");
        } else if (spool_.in.move(name, spool_.work, name) == Made::done) {
            counters_.taken.add();
            examine(name);
        }
    }
    return left;
}

bool FileServer::has_room() {
    if (full_ || count_of(spool_.out, kMostUnfetched) < kMostUnfetched) return !full_;
    full_ = true;
    counters_.full.add();
    report_({}, "out is full: nobody fetches the answers");
    return false;
}

void FileServer::examine(const std::string& name) {
    Found found = spool_.work.read(name, settings_.max_message);
    switch (found.kind) {
        case Found::Kind::none:
            waiting_.erase(name);
            return;
        case Found::Kind::octets:
            waiting_.erase(name);
            return send(name, std::move(found.octets));
        case Found::Kind::refused:
            return fail(spool_.work, name, found.why);
        case Found::Kind::unfinished:
            break;
    }
    const auto known = waiting_.find(name);
    const ra::BootTime now = ra::BootClock::now();
    if (known != waiting_.end() && now - known->second.first >= settings_.receive_time)
        return fail(spool_.work, name, "not a whole message");
    later(name, kUnfinishedAgain);
}

void FileServer::later(const std::string& name, milliseconds after) {
    const ra::BootTime now = ra::BootClock::now();
    const auto [at, fresh] = waiting_.try_emplace(name, Waiting{now, now});
    at->second.again = now + after;
}

void FileServer::look_again() {
    const ra::BootTime now = ra::BootClock::now();
    std::vector<std::string> due;
    for (const auto& [name, waiting] : waiting_) {
        if (waiting.again <= now) due.push_back(name);
    }
    for (const std::string& name : due) {
        if (under_way_ < settings_.at_once) examine(name);
    }
}

void FileServer::send(const std::string& name, ra::Bytes der) {
    auto arrival = std::make_shared<ra::Arrival>();
    arrival->der = std::move(der);
    arrival->listener = settings_.listener;
    arrival->label = settings_.label;
    arrival->deadline = ra::BootClock::now() + settings_.exchange_time;
    random_.fill(arrival->trace.octets);
    ++under_way_;
    counters_.under_way.add();
    const Seat seat = seats_[next_seat_++ % seats_.size()];
    seat.worker.post([mailbox = mailbox_, seat, name, arrival] {
        seat.worker.tasks().spawn("file exchange", exchange(mailbox, seat, name, arrival));
    });
}

asio::awaitable<void> FileServer::exchange(std::shared_ptr<Mailbox> mailbox, Seat seat,
                                           std::string name, std::shared_ptr<ra::Arrival> arrival) {
    ra::Reply reply = ra::Overloaded{};
    try {
        reply = co_await seat.exchange.exchange(std::move(*arrival));
    } catch (...) {
        seat.worker.report("exchange", std::current_exception());
    }
    mailbox->change([&] { mailbox->replies.emplace_back(std::move(name), std::move(reply)); });
}

void FileServer::answer(const std::string& name, const ra::Reply& reply) {
    look_ = true;  // one of its name, or one there was no room for, may wait
    if (const auto* busy = std::get_if<ra::Overloaded>(&reply))
        return later(name, milliseconds{busy->retry_after});
    const auto* not_cmp = std::get_if<ra::NotCmp>(&reply);
    const auto* good = std::get_if<ra::Answer>(&reply);
    const ra::ByteView der = good != nullptr      ? ra::ByteView{good->der}
                             : not_cmp != nullptr ? ra::ByteView{not_cmp->der}
                                                  : ra::ByteView{};
    if (!der.empty()) {
        switch (spool_.work.publish(der, spool_.out, name)) {
            case Made::done:
                counters_.answered.add();
                break;
            case Made::exists:
                return fail(spool_.work, name, "a file of its name came into out meanwhile");
            case Made::fault:
                // Its exchange keeps the answer: asked again it is a repetition.
                report_(name, "its answer could not be written");
                return later(name, kFaultAgain);
        }
    }
    if (not_cmp != nullptr) return fail(spool_.work, name, "no PKIMessage");
    spool_.work.remove(name);
    spool_.work.sync();
}

/// Best effort (RFC 9482 4 says the same of observers): what cannot be put there is said, and lost.
void FileServer::put_announcement(const ra::Bytes& message) {
    std::array<std::uint8_t, 8> number{};
    random_.fill(number);
    const std::string name = "announcement-" + ra::to_hex(number) + ".pki";
    if (count_of(spool_.out, kMostUnfetched) >= kMostUnfetched ||
        spool_.work.publish(message, spool_.out, name) != Made::done)
        report_(name, "an announcement could not be put into out");
}

void FileServer::fail(const Directory& from, const std::string& name, std::string_view why) {
    if (spool_.fail(from, name, why)) {
        waiting_.erase(name);
        counters_.failed.add();
        report_(name, why);
        return;
    }
    if (&from == &spool_.work) later(name, kFaultAgain);
    if (full_) return;
    full_ = true;
    counters_.full.add();
    report_({}, "failed is full, or cannot be written to");
}

/// Until a file comes, somebody tells something, or it is time to look again.
void FileServer::wait() {
    milliseconds most = settings_.rescan;
    const ra::BootTime now = ra::BootClock::now();
    for (const auto& [name, waiting] : waiting_) {
        const auto left = std::chrono::duration_cast<milliseconds>(waiting.again - now);
        most = std::clamp(left + milliseconds{1}, milliseconds{10}, most);
    }
    if (full_) most = std::min(most, kFaultAgain);
    pollfd waits[] = {{mailbox_->bell.get(), POLLIN, 0}, {inotify_.get(), POLLIN, 0}};
    const int ready = ::poll(waits, 2, static_cast<int>(most.count()));
    if (ready == 0) {
        if (std::exchange(full_, false)) counters_.full.subtract();
        look_ = true;
        return;
    }
    std::uint64_t rung = 0;
    [[maybe_unused]] const ssize_t bell = ::read(mailbox_->bell.get(), &rung, sizeof rung);
    alignas(inotify_event) char events[4096];
    while (inotify_.get() >= 0 && ::read(inotify_.get(), events, sizeof events) > 0) look_ = true;
}

}  // namespace transports::file
