#include "ra/app/faults.h"

#include <exception>

namespace ra::app {

transports::common::FaultLog fault_log(Log& log) {
    return [&log](std::string_view where, std::exception_ptr fault) {
        std::string what;
        try {
            std::rethrow_exception(std::move(fault));
        } catch (const std::exception& exception) {
            what = exception.what();
        } catch (...) {
            what = "unknown";
        }
        log.write(Log::Level::error, "fault",
                  {{"where", where}, {"detail", std::string_view{what}}});
    };
}

}  // namespace ra::app
