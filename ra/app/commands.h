#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace ra::app {

/// What the program does once its command line is read; yields the exit status. A command's
/// callback sets it.
using Run = std::function<int()>;

/// One a command, each in command_NAME.cpp: adds the subcommand with its options.
void add_demo(CLI::App& app, Run& run);
void add_serve(CLI::App& app, Run& run);
void add_audit(CLI::App& app, Run& run);
void add_check(CLI::App& app, Run& run);
void add_doctor(CLI::App& app, Run& run);
void add_inspect(CLI::App& app, Run& run);
void add_mail(CLI::App& app, Run& run);
void add_reload(CLI::App& app, Run& run);
void add_secret(CLI::App& app, Run& run);
void add_status(CLI::App& app, Run& run);
void add_bench(CLI::App& app, Run& run);
void add_version(CLI::App& app, Run& run);

/// Subcommands of `audit`.
void add_orphans(CLI::App& audit, Run& run);
void add_clear(CLI::App& audit, Run& run);

/// Exit statuses beside 0.
inline constexpr int kFailed = 1;  // it did not work; stderr says why
inline constexpr int kUsage = 2;   // the command line is wrong

}  // namespace ra::app
