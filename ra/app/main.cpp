#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <exception>
#include <iostream>

#include "ra/app/commands.h"

int main(int argc, char** argv) {
    ra::app::Run run;
    CLI::App app{"CMP registration authority gateway", "cmpgate"};
    app.require_subcommand(1);
    app.failure_message([](const CLI::App*, const CLI::Error& fault) {
        return std::string("cmpgate: ") + fault.what() + " (cmpgate --help)\n";
    });
    ra::app::add_demo(app, run);
    ra::app::add_serve(app, run);
    ra::app::add_check(app, run);
    ra::app::add_audit(app, run);
    ra::app::add_doctor(app, run);
    ra::app::add_inspect(app, run);
    ra::app::add_secret(app, run);
    ra::app::add_mail(app, run);
    ra::app::add_status(app, run);
    ra::app::add_reload(app, run);
    ra::app::add_bench(app, run);
    ra::app::add_version(app, run);
    try {
        app.parse(argc, argv);
        return run();
    } catch (const CLI::ParseError& fault) {
        return app.exit(fault) == 0 ? 0 : ra::app::kUsage;
    } catch (const std::exception& fault) {
        std::cerr << "cmpgate: " << fault.what() << '\n';
        return ra::app::kFailed;
    }
}
