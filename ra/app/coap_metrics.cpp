#include <array>

#include "ra/app/coap_host.h"
#include "ra/app/server_metrics.h"

namespace ra::app {
namespace {

using transports::coap::CoapServerCounters;

struct Metric {
    std::string_view name, help;
    bool gauge;
    metrics::Count CoapServerCounters::* counter;
};
constexpr std::array<Metric, 12> kMetrics{{
    {"cmpgate_coap_datagrams_total", "CoAP requests and blocks of requests.", false,
     &CoapServerCounters::datagrams},
    {"cmpgate_coap_requests_total", "Whole requests received.", false,
     &CoapServerCounters::requests},
    {"cmpgate_coap_repeated_total", "Messages that had come before.", false,
     &CoapServerCounters::repeated},
    {"cmpgate_coap_refused_total", "Requests refused without an exchange.", false,
     &CoapServerCounters::refused},
    {"cmpgate_coap_challenged_total", "Of them: asked to show their address with Echo.", false,
     &CoapServerCounters::challenged},
    {"cmpgate_coap_answers_total", "Answers of exchanges.", false, &CoapServerCounters::answers},
    {"cmpgate_coap_separate_total", "Of them: after their acknowledgement.", false,
     &CoapServerCounters::separate},
    {"cmpgate_coap_dropped_replies_total", "Answers and notifications nobody acknowledged.", false,
     &CoapServerCounters::dropped_replies},
    {"cmpgate_coap_notifications_total", "Announcements sent to observers.", false,
     &CoapServerCounters::notifications},
    {"cmpgate_coap_sessions", "Addresses and associations known.", true,
     &CoapServerCounters::sessions},
    {"cmpgate_coap_handshakes_total", "DTLS and TLS handshakes completed.", false,
     &CoapServerCounters::handshakes},
    {"cmpgate_coap_handshake_errors_total", "DTLS and TLS handshakes that failed.", false,
     &CoapServerCounters::handshake_errors},
}};

}  // namespace

void add_coap_samples(std::vector<metrics::Sample>& samples,
                      const std::vector<std::shared_ptr<Entrance>>& entrances) {
    for (const Metric& metric : kMetrics) {
        for (const auto& entrance : entrances) {
            const auto* const coap = dynamic_cast<const CoapEntrance*>(entrance.get());
            if (coap == nullptr) continue;
            samples.push_back({metric.name,
                               metric.help,
                               metric.gauge,
                               {{"listener", entrance->config().name}},
                               static_cast<double>((coap->counters().*metric.counter).get())});
        }
    }
}

}  // namespace ra::app
