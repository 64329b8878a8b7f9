#include "ra/app/entrance.h"

#include "ra/app/file_entrance.h"
#include "ra/app/mail_entrance.h"
#include "ra/app/stream_entrance.h"

namespace ra::app {

std::shared_ptr<Entrance> make_entrance(const config::ListenerConfig& config, const Wiring& wiring,
                                        transports::common::Workers& workers,
                                        const Entrance::PartsList& parts, Log& log,
                                        std::optional<int> inherited) {
    if (config.url.is_mail()) return std::make_shared<MailEntrance>(config, wiring, workers, parts);
    if (config.url.is_file())
        return std::make_shared<FileEntrance>(config, wiring, workers, parts, log);
    const StreamEntrance::Parts with{wiring, workers, parts, log, inherited};
    if (config.url.is_tcp()) return std::make_shared<TcpEntrance>(config, with);
    return std::make_shared<HttpEntrance>(config, with);
}

}  // namespace ra::app
