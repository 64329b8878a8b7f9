#include <sys/resource.h>

#include <CLI/App.hpp>
#include <CLI/Validators.hpp>
#include <boost/json.hpp>
#include <iomanip>
#include <iostream>

#include "ra/app/bench/load.h"
#include "ra/app/bench/test_ca.h"
#include "ra/app/commands.h"

namespace ra::app {
namespace {

struct Options {
    bench::LoadSettings load;
    bool ca = false;
    std::uint16_t port = 0;
    unsigned delay = 0;
    unsigned duration = 0;
    unsigned timeout = 30;
    std::string operation = "ir";
    bool prebuilt = false;
    std::string pki, certificate, key, subject;
    bool json = false;
};

void print(const bench::LoadResult& result, bool with_server, bool as_json) {
    const bench::Latencies& latencies = result.latencies;
    const auto messages = static_cast<double>(std::max<std::uint64_t>(latencies.count(), 1));
    const double rate = static_cast<double>(latencies.count()) / result.seconds;
    const double client_us = 1e6 * result.client_cpu / messages;
    const double server_us = 1e6 * result.server_cpu / messages;
    constexpr double kParts[] = {0.5, 0.9, 0.99, 1};
    constexpr const char* kNames[] = {"p50_ms", "p90_ms", "p99_ms", "max_ms"};
    if (as_json) {
        boost::json::object object{{"messages", latencies.count()},
                                   {"errors", result.errors},
                                   {"seconds", result.seconds},
                                   {"rate", rate},
                                   {"client_cpu_us", client_us}};
        for (std::size_t i = 0; i < std::size(kParts); ++i)
            object[kNames[i]] = latencies.percentile(kParts[i]);
        if (with_server) object["server_cpu_us"] = server_us;
        std::cout << boost::json::serialize(object) << '\n';
        return;
    }
    std::cout << std::fixed << std::setprecision(2) << latencies.count() << " messages in "
              << result.seconds << " s: " << std::setprecision(0) << rate << "/s\n"
              << std::setprecision(3) << "latency ms    p50 " << latencies.percentile(kParts[0])
              << "  p90 " << latencies.percentile(kParts[1]) << "  p99 "
              << latencies.percentile(kParts[2]) << "  max " << latencies.percentile(kParts[3])
              << '\n'
              << std::setprecision(1) << "CPU us/message  client " << client_us;
    if (with_server) std::cout << "  server " << server_us;
    std::cout << '\n';
}

std::unique_ptr<bench::Devices> devices_of(const Options& options) {
    const auto type = options.operation == "cr" ? cmp::BodyType::cr : cmp::BodyType::ir;
    const bool implicit = !options.load.confirm;
    if (options.prebuilt) return bench::prebuilt_devices(type, implicit);
    std::vector<crypto::CredentialPtr> credentials;
    if (!options.certificate.empty()) {
        credentials.push_back(crypto::Credential::load("bench", options.certificate, options.key));
    } else if (!options.pki.empty()) {
        credentials = bench::TestPki::open(options.pki).devices;
    } else {
        throw std::runtime_error(
            "who enrols? --pki FOLDER, --certificate and --key, or --prebuilt");
    }
    return bench::signing_devices(std::move(credentials), type, options.subject, implicit);
}

int bench_command(Options& options) {
    rlimit limit{};  // a connection is a descriptor
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (options.ca) {
        std::shared_ptr<const bench::TestPki> pki;
        if (!options.pki.empty())
            pki = std::make_shared<bench::TestPki>(bench::TestPki::open(options.pki));
        return bench::serve_test_ca(options.port, std::chrono::milliseconds{options.delay},
                                    options.load.threads, std::move(pki));
    }
    options.load.duration = std::chrono::seconds{options.duration};
    options.load.timeout = std::chrono::seconds{options.timeout};
    if (options.duration == 0 && options.load.requests == 0) options.load.requests = 1000;
    const auto devices = devices_of(options);
    const bench::LoadResult result = bench::run_load(options.load, *devices);
    print(result, options.load.server_pid != 0, options.json);
    if (result.errors == 0) return 0;
    std::cerr << "cmpgate bench: " << result.errors
              << " without the right answer, the first: " << result.first_error << '\n';
    return kFailed;
}

}  // namespace

void add_bench(CLI::App& app, Run& run) {
    CLI::App* command = app.add_subcommand(
        "bench",
        "Load a CMP server with enrolments, or be a cheap CA behind the one that is loaded");
    command->footer(
        "One terminal: cmpgate bench --ca --port 9000 --pki pki\n"
        "A gateway with upstream http://127.0.0.1:9000/ and trust file:pki/root.pem, then\n"
        "cmpgate bench http://127.0.0.1:8080/.well-known/cmp --pki pki --duration 10");
    auto options = std::make_shared<Options>();
    bench::LoadSettings& load = options->load;
    auto* url = command->add_option("URL", load.url, "Whom to load: http://host:port/path");
    auto* ca = command->add_flag("--ca", options->ca, "Be the CA instead, until SIGTERM or Ctrl-C");
    ca->excludes(url);
    command->add_option("--connections", load.connections, "At a time, each with one message")
        ->capture_default_str()
        ->check(CLI::Range(1U, 100'000U));
    auto* requests = command->add_option("--requests", load.requests,
                                         "Enrolments in all; 1000 unless --duration is given");
    command->add_option("--duration", options->duration, "Seconds")->excludes(requests);
    command->add_option("--operation", options->operation, "ir or cr")
        ->capture_default_str()
        ->check(CLI::IsMember({"ir", "cr"}));
    command->add_flag("--confirm", load.confirm,
                      "certConf after each; else implicitConfirm is asked for");
    auto* prebuilt = command->add_flag("--prebuilt", options->prebuilt,
                                       "Messages made beforehand, protected in looks only: for "
                                       "origin = \"opaque\"");
    auto* pki = command->add_option("--pki", options->pki,
                                    "Folder of a test PKI, made if it is not there (root.pem, "
                                    "device-N.pem …); with --ca: answers are signed");
    auto* certificate = command->add_option("--certificate", options->certificate,
                                            "Enrol as this device instead (PEM)");
    auto* key = command->add_option("--key", options->key, "Its key (PEM)");
    certificate->needs(key)->excludes(pki)->excludes(prebuilt);
    key->needs(certificate);
    pki->excludes(prebuilt);
    command->add_option("--subject", options->subject,
                        "To ask for, as CN=x,O=y; else the device's own");
    command->add_option("--label", load.label, "Profile label: /p/LABEL in the path");
    command->add_option("--timeout", options->timeout, "Seconds to each answer")
        ->capture_default_str();
    command->add_option("--threads", load.threads, "Of the load, or of the CA")
        ->capture_default_str()
        ->check(CLI::Range(1U, 64U));
    command->add_option("--pid", load.server_pid, "Process of the server: its CPU is shown too");
    command->add_option("--port", options->port, "Of the CA on 127.0.0.1; 0: any, printed")
        ->capture_default_str()
        ->needs(ca);
    command->add_option("--delay", options->delay, "Milliseconds the CA takes to each answer")
        ->capture_default_str()
        ->needs(ca);
    command
        ->add_flag("--hold", load.hold,
                   "Each connection makes one enrolment and stays open until standard input ends")
        ->excludes(ca);
    command->add_flag("--json", options->json, "The result as JSON");
    command->callback([&run, options] {
        if (!options->ca && options->load.url.empty()) throw CLI::RequiredError("URL (or --ca)");
        if (options->load.hold) options->load.requests = options->load.connections;
        run = [options] { return bench_command(*options); };
    });
}

}  // namespace ra::app
