#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ra/base/time.h"
#include "transports/coap/context.h"
#include "transports/common/tls_context.h"
#include "transports/common/wakeup.h"
#include "transports/common/worker.h"
#include "transports/http1/name_cache.h"

struct coap_session_t;

namespace transports::coap {

/// A session with one server. Requests leave on it once it is established, so that one that never
/// is has taken nothing with it. For its worker's thread.
class ClientSession {
public:
    /// Whom to talk to. `tls`: null unless the protocol is secure; its host is then the name that
    /// the server's certificate must be for.
    struct To {
        Protocol protocol = Protocol::udp;
        http1::NameCache::Endpoint address;
        std::string host;
        common::TlsContextPtr tls;
    };
    /// Begins; null: it cannot even begin. `context` outlives it.
    [[nodiscard]] static std::shared_ptr<ClientSession> open(common::Worker& worker,
                                                             Context& context, To to);
    ClientSession(const ClientSession&) = delete;
    ClientSession& operator=(const ClientSession&) = delete;
    ~ClientSession();

    [[nodiscard]] coap_session_t* get() const noexcept { return session_; }

    enum class State : std::uint8_t { opening, established, over };
    [[nodiscard]] State state() const noexcept { return state_; }
    /// Why it is over: "connect" or "tls".
    [[nodiscard]] const char* why() const noexcept { return why_; }
    /// The server's certificate was the reason.
    [[nodiscard]] bool refused_certificate() const noexcept { return refused_certificate_; }

    /// Resumes once it is established (true) or over, or at `until` (false).
    boost::asio::awaitable<bool> established(ra::BootTime until);

    /// Between two steps of the library: a connection is there.
    void lend();
    /// The library's word that a handshake is done. False: not with whom we want; it is over.
    [[nodiscard]] bool secured();
    /// That requests may leave (not of DTLS); that it is over.
    void connected();
    void end(bool in_handshake) noexcept;

    ra::BootTime used{};  // when a response came last

private:
    ClientSession(common::Worker& worker, To to) : worker_{worker}, to_{std::move(to)} {}
    [[nodiscard]] void* tls() const noexcept;
    void become(State state) noexcept;

    common::Worker& worker_;
    const To to_;
    std::string server_name_;  // SNI; the library keeps a pointer to it
    coap_session_t* session_ = nullptr;
    State state_ = State::opening;
    const char* why_ = "connect";
    bool lent_ = false;
    bool refused_certificate_ = false;
    std::vector<common::Wakeup*> waiting_;
};

}  // namespace transports::coap
