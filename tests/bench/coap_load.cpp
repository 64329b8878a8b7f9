#include <arpa/inet.h>
#include <coap3/coap.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "ra/base/random.h"
#include "tests/bench/coap_bench.h"

namespace bench {
namespace {

using ra::app::bench::Id;

constexpr unsigned kPatienceMs = 20'000;

/// All sessions of a run.
class Devices {
public:
    explicit Devices(const CoapLoad& settings)
        : settings_{settings}, request_{large_request(settings.octets)} {
        result_.octets = request_.size();
        coap_startup();
        coap_set_log_level(static_cast<coap_log_t>(0));
        context_.reset(coap_new_context(nullptr));
        if (context_ == nullptr) throw std::runtime_error("libcoap: no context");
        coap_set_app_data(context_.get(), this);
        coap_context_set_block_mode(context_.get(),
                                    COAP_BLOCK_USE_LIBCOAP | COAP_BLOCK_SINGLE_BODY);
        coap_register_response_handler(context_.get(), on_response);
        coap_register_nack_handler(context_.get(), on_nack);
    }

    CoapLoaded run() {
        devices_.resize(settings_.sessions);
        for (Device& device : devices_) {
            device.session = open();
            coap_session_set_app_data(device.session, &device);
            ask(device);
        }
        unsigned quiet = 0;
        while (ended() < settings_.requests && quiet < kPatienceMs) {
            const unsigned before = ended();
            const int took = coap_io_process(context_.get(), 1000);
            if (took < 0) throw std::runtime_error("libcoap: coap_io_process");
            quiet = ended() == before ? quiet + static_cast<unsigned>(took) : 0;
        }
        if (ended() < settings_.requests)
            failed("no answer to " + std::to_string(settings_.requests - ended()));
        return result_;
    }

private:
    struct Device {
        coap_session_t* session = nullptr;
        Id transaction{};  // of the request that waits for its answer
    };
    struct ContextFree {
        void operator()(coap_context_t* context) const noexcept { coap_free_context(context); }
    };

    static Devices& of(const coap_session_t* session) {
        return *static_cast<Devices*>(coap_get_app_data(coap_session_get_context(session)));
    }
    static Device& device_of(const coap_session_t* session) {
        return *static_cast<Device*>(coap_session_get_app_data(session));
    }
    static coap_response_t on_response(coap_session_t* session, const coap_pdu_t*,
                                       const coap_pdu_t* received, coap_mid_t) {
        of(session).answered(device_of(session), received);
        return COAP_RESPONSE_OK;
    }
    static void on_nack(coap_session_t* session, const coap_pdu_t*, coap_nack_reason_t,
                        coap_mid_t) {
        Devices& all = of(session);
        all.failed("not acknowledged");
        all.ask(device_of(session));
    }
    static void release(coap_session_t*, void* body) { delete static_cast<ra::Bytes*>(body); }

    [[nodiscard]] unsigned ended() const noexcept { return result_.answers + result_.errors; }
    void failed(std::string what) {
        if (result_.errors++ == 0) result_.first_error = std::move(what);
    }

    coap_session_t* open() {
        coap_address_t address;
        coap_address_init(&address);
        address.size = sizeof(sockaddr_in);
        address.addr.sin.sin_family = AF_INET;
        address.addr.sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.addr.sin.sin_port = htons(settings_.port);
        coap_session_t* const made =
            coap_new_client_session(context_.get(), nullptr, &address, COAP_PROTO_UDP);
        if (made == nullptr) throw std::runtime_error("libcoap: no session");
        return made;
    }

    void ask(Device& device) {
        if (asked_ == settings_.requests) return;
        ++asked_;
        Id nonce{};
        random_.fill(device.transaction);
        random_.fill(nonce);
        auto body = std::make_unique<ra::Bytes>(request_.render(device.transaction, nonce, {}));

        coap_session_t* const session = device.session;
        coap_pdu_t* const pdu =
            coap_pdu_init(COAP_MESSAGE_CON, COAP_REQUEST_CODE_POST, coap_new_message_id(session),
                          coap_session_max_pdu_size(session));
        std::uint8_t token[8];
        std::size_t token_size = 0;
        coap_session_new_token(session, &token_size, token);
        std::uint8_t format[2];
        const unsigned format_size = coap_encode_var_safe(format, sizeof format, 259);
        bool good = pdu != nullptr && coap_add_token(pdu, token_size, token) != 0;
        for (const std::string_view segment : {".well-known", "cmp"})
            good = good && coap_add_option(pdu, COAP_OPTION_URI_PATH, segment.size(),
                                           ra::as_bytes(segment).data()) != 0;
        good = good && coap_add_option(pdu, COAP_OPTION_CONTENT_FORMAT, format_size, format) != 0;
        if (!good) throw std::runtime_error("libcoap: no room for a request");
        ra::Bytes* const kept = body.release();  // until the library calls release()
        if (coap_add_data_large_request(session, pdu, kept->size(), kept->data(), release, kept) ==
                0 ||
            coap_send(session, pdu) == COAP_INVALID_MID)
            throw std::runtime_error("libcoap: a request cannot be sent");
    }

    void answered(Device& device, const coap_pdu_t* received) {
        std::size_t size = 0, offset = 0, total = 0;
        const std::uint8_t* data = nullptr;
        const bool has_data = coap_get_data_large(received, &size, &data, &offset, &total) != 0;
        const auto code = coap_pdu_get_code(received);
        const Id& id = device.transaction;
        if (code != COAP_RESPONSE_CODE_CHANGED) {
            failed("code " + std::to_string(code >> 5U) + "." + std::to_string(code & 31U));
        } else if (!has_data || size != total || size < settings_.octets / 2) {
            failed(std::to_string(size) + " octets of an answer");
        } else if (std::search(data, data + size, id.begin(), id.end()) == data + size) {
            failed("an answer to another");
        } else {
            ++result_.answers;
        }
        ask(device);
    }

    const CoapLoad& settings_;
    ra::app::bench::Template request_;
    ra::SystemRandom random_;
    std::vector<Device> devices_;
    unsigned asked_ = 0;
    CoapLoaded result_;
    std::unique_ptr<coap_context_t, ContextFree> context_;
};

}  // namespace

CoapLoaded load_coap(const CoapLoad& settings) { return Devices{settings}.run(); }

}  // namespace bench
