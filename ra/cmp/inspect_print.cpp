#include "ra/cmp/inspect_tree.h"

namespace ra::cmp::tree {
namespace {

constexpr std::size_t kShownHex = 48;  // digits; a line stays a line

/// {"octets", "hex"} as made by blob().
bool is_blob(const object& from) { return from.size() == 2 && from.contains("hex"); }

bool is_line(const value& from) {
    if (from.is_object()) return is_blob(from.get_object()) || from.get_object().empty();
    if (from.is_array()) {
        for (const value& one : from.get_array()) {
            if (!one.is_string()) return from.get_array().empty();
        }
    }
    return true;
}

std::string line(const value& from) {
    if (from.is_string()) return std::string{from.get_string()};
    if (from.is_null()) return "NULL";
    if (from.is_object()) {
        const object& members = from.get_object();
        if (members.empty()) return "(empty)";
        const boost::json::string& digits = members.at("hex").get_string();
        std::string text{digits.subview(0, std::min(kShownHex, digits.size()))};
        if (digits.size() > kShownHex) text += "...";
        return boost::json::serialize(members.at("octets")) + " octets " + text;
    }
    if (from.is_array()) {
        std::string text;
        for (const value& one : from.get_array()) {
            if (!text.empty()) text += ", ";
            text += one.get_string();
        }
        return text.empty() ? "(none)" : text;
    }
    return boost::json::serialize(from);
}

void print_members(std::string& out, const object& from, std::size_t indent, bool in_item);

void print_value(std::string& out, const value& from, std::size_t indent) {
    if (from.is_object()) {
        print_members(out, from.get_object(), indent, false);
        return;
    }
    for (const value& one : from.get_array()) {
        out.append(indent, ' ');
        out += "- ";
        if (one.is_object() && !is_line(one)) {
            print_members(out, one.get_object(), indent + 2, true);
        } else {
            out += line(one) + '\n';
        }
    }
}

void print_members(std::string& out, const object& from, std::size_t indent, bool in_item) {
    for (const auto& [key, member] : from) {
        if (!in_item) out.append(indent, ' ');
        in_item = false;
        out += key;
        const bool hints = key == "hints";  // sentences: one a line
        if (is_line(member) && !hints) {
            out += ": " + line(member) + '\n';
        } else {
            out += ":\n";
            print_value(out, member, indent + 2);
        }
    }
}

}  // namespace

std::string print(const object& from) {
    std::string out;
    print_members(out, from, 0, false);
    return out;
}

}  // namespace ra::cmp::tree
