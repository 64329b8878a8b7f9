#include <filesystem>

#include "ra/app/config/sections.h"

namespace ra::app::config {

AuditConfig read_audit(const Node& node, const std::string& directory, Faults& faults) {
    const Table table{node, Section::audit, faults};
    AuditConfig config;
    config.at = table.at();
    const auto to = table.text("to");
    if (to && !to->value.starts_with("file:")) {
        faults.error(to->at, "to is \"file:PATH\"");
    } else if (to) {
        config.path = (std::filesystem::path(directory) / to->value.substr(5)).string();
    }
    if (auto key = table.source("key")) config.key = std::move(*key);
    if (auto name = table.text("credential")) config.credential = std::move(*name);
    if (auto name = table.text("node")) config.node = name->value;
    config.refuse_on_failure =
        table.choice<bool>("on_failure", {{"refuse", true}, {"continue", false}}, true);
    if (!node.entries.empty() && !table.has("to"))
        faults.error(table.at(), "[audit] does not say where, as to = \"file:audit.log\"");
    if (to && !table.has("key")) {
        faults.error(table.at(),
                     "[audit] has no key: its lines could be changed unnoticed (S-42). Write key = "
                     "\"credential:audit-key\", 32 random octets");
    }
    return config;
}

}  // namespace ra::app::config
