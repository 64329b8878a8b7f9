#include <CLI/App.hpp>
#include <boost/json.hpp>
#include <iostream>

#include "ra/app/commands.h"
#include "ra/app/version.h"

namespace ra::app {
namespace {

namespace json = boost::json;

json::string_view view(std::string_view text) { return {text.data(), text.size()}; }

json::array array_of(const std::vector<std::string>& texts) {
    json::array array;
    for (const std::string& text : texts) array.emplace_back(view(text));
    return array;
}

void print_json(const VersionFacts& facts) {
    json::object libraries;
    for (const VersionFacts::Library& library : facts.libraries)
        libraries[view(library.name)] = view(library.version);
    json::object object;
    object["version"] = view(version());
    object["commit"] = view(commit());
    object["compiler"] = view(facts.compiler);
    object["libraries"] = std::move(libraries);
    object["algorithms"] = json::object{{"signatures", array_of(facts.signatures)},
                                        {"curves", array_of(facts.curves)},
                                        {"kems", array_of(facts.kems)},
                                        {"digests", array_of(facts.digests)}};
    std::cout << json::serialize(object) << '\n';
}

void print_list(std::string_view name, const std::vector<std::string>& texts) {
    std::cout << name;
    for (const std::string& text : texts) std::cout << ' ' << text;
    std::cout << '\n';
}

void print_text(const VersionFacts& facts) {
    std::cout << "cmpgate " << version() << " (" << commit() << "), built with " << facts.compiler
              << '\n';
    std::cout << "libraries ";
    for (const VersionFacts::Library& library : facts.libraries)
        std::cout << ' ' << library.name << ' ' << library.version;
    std::cout << '\n';
    print_list("signatures", facts.signatures);
    print_list("curves    ", facts.curves);
    print_list("KEMs      ", facts.kems);
    print_list("digests   ", facts.digests);
}

}  // namespace

void add_version(CLI::App& app, Run& run) {
    CLI::App* command =
        app.add_subcommand("version", "Version, libraries and algorithms found here");
    auto json_wanted = std::make_shared<bool>(false);
    command->add_flag("--json", *json_wanted, "As one JSON object");
    command->callback([&run, json_wanted] {
        run = [json_wanted] {
            const VersionFacts facts = version_facts();
            *json_wanted ? print_json(facts) : print_text(facts);
            return 0;
        };
    });
}

}  // namespace ra::app
