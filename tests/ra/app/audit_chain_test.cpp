#include "ra/app/audit_chain.h"

#include <doctest/doctest.h>

#include <functional>
#include <sstream>

#include "ra/app/audit_verify.h"

using namespace ra;
using namespace ra::app;

namespace {

const std::string kKey(32, 'k');

/// A trail of two boots: lines are numbered as they stand in the file, from 0.
std::vector<std::string> some_trail() {
    std::vector<std::string> lines;
    AuditChain first{as_bytes(kKey), "plant-1", "aaaa"};
    lines.push_back(first.begin("T0", ""));
    for (int i = 0; i < 5; ++i)
        lines.push_back(first.line("T1", "message", ",\"trace\":\"" + std::to_string(i) + "\""));
    lines.push_back(first.line("T2", "checkpoint",
                               ",\"of\":6,\"of_mac\":\"" + first.mac() + "\",\"signature\":\"\""));
    AuditChain second{as_bytes(kKey), "plant-1", "bbbb"};
    lines.push_back(second.begin("T3", first.mac()));
    lines.push_back(second.line("T4", "message", ",\"trace\":\"x\""));
    return lines;
}

Verdict verify(const std::vector<std::string>& lines, std::vector<Checkpoint> elsewhere = {},
               const std::string& key = kKey) {
    std::string text;
    for (const std::string& line : lines) text += line;
    std::istringstream trail{text};
    return verify_trail(trail, {as_bytes(key), {}, std::move(elsewhere)});
}

}  // namespace

TEST_SUITE("ra/app") {
    TEST_CASE("S-42: HMAC-SHA-256 as RFC 4231 has it") {
        const Bytes key(20, 0x0b);
        CHECK(to_hex(crypto::hmac_sha256(key, as_bytes("Hi "), as_bytes("There"))) ==
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        const Bytes long_key(131, 0xaa);
        CHECK(to_hex(crypto::hmac_sha256(
                  long_key, as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))) ==
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    TEST_CASE("S-42: a whole trail is vouched for up to its checkpoint") {
        const Verdict verdict = verify(some_trail());
        CHECK(verdict.faults.empty());
        CHECK(verdict.warnings.empty());
        CHECK(verdict.lines == 9);
        CHECK(verdict.boots == 2);
        CHECK(verdict.vouched.starts_with("line 6 of boot aaaa"));
    }

    TEST_CASE("S-42: whatever is done to a trail is noticed, and where") {
        const std::vector<std::string> good = some_trail();
        struct Row {
            const char* name;
            std::function<void(std::vector<std::string>&)> change;
            const char* says;
        };
        const Row rows[] = {
            {"an octet changed",
             [](auto& t) { t[3].replace(t[3].find("\"trace\":\"2"), 10, "\"trace\":\"3"); },
             "line 4: its MAC is wrong"},
            {"a line taken out", [](auto& t) { t.erase(t.begin() + 3); }, "line 4: it is number 5"},
            {"the first message taken out", [](auto& t) { t.erase(t.begin() + 1); },
             "line 2: it is"},
            {"two lines changed places", [](auto& t) { std::swap(t[2], t[3]); }, "line 3: it is"},
            {"a line twice", [](auto& t) { t.insert(t.begin() + 2, t[1]); }, "line 3: it is"},
            {"the end of the first boot cut", [](auto& t) { t.erase(t.begin() + 6); },
             "line 7: the trail begins anew, but not after"},
            {"the first boot taken out but for its begin",
             [](auto& t) { t.erase(t.begin() + 1, t.begin() + 7); },
             "line 2: the trail begins anew"},
            {"a line of another key",
             [](auto& t) {
                 const std::string key(32, 'x');
                 AuditChain other{as_bytes(key), "plant-1", "cccc"};
                 t.push_back(
                     other.begin("T", std::string(mac_of_line(std::string_view{t.back()}.substr(
                                          0, t.back().size() - 1)))));
             },
             "line 10: its MAC is wrong"},
            {"half a line in the middle",
             [](auto& t) { t[2].resize(t[2].size() / 2), t[2] += '\n'; },
             "line 4: the line before is no line"},
            {"its MAC cut short", [](auto& t) { t[2].erase(t[2].size() - 10, 5); },
             "line 4: the line before"},
        };
        for (const Row& row : rows) {
            CAPTURE(row.name);
            std::vector<std::string> trail = good;
            row.change(trail);
            const Verdict verdict = verify(trail);
            REQUIRE_FALSE(verdict.faults.empty());
            INFO(verdict.faults.front());
            CHECK(verdict.faults.front().find(row.says) != std::string::npos);
        }
        CHECK_FALSE(verify(good, {}, std::string(32, 'x')).faults.empty());
    }

    TEST_CASE("S-42: any octet changed anywhere is noticed") {
        const std::vector<std::string> good = some_trail();
        std::string text;
        for (const std::string& line : good) text += line;
        unsigned unnoticed = 0;
        for (std::size_t i = 0; i + 1 < text.size(); ++i) {
            std::string changed = text;
            changed[i] = static_cast<char>(changed[i] ^ 1);
            std::istringstream trail{changed};
            const Verdict verdict = verify_trail(trail, {as_bytes(kKey), {}, {}});
            // The very last line has nothing after it that would miss it.
            const bool in_last_line = i >= text.size() - good.back().size();
            if (verdict.faults.empty() && !in_last_line) ++unnoticed;
        }
        CHECK(unnoticed == 0);
    }

    TEST_CASE("S-42: what is cut off at the end is missed by a checkpoint that stands elsewhere") {
        const std::vector<std::string> good = some_trail();
        std::istringstream log{
            "{\"time\":\"T\",\"level\":\"warning\",\"event\":\"audit_checkpoint\",\"node\":\"plant-"
            "1\","
            "\"boot\":\"bbbb\",\"seq\":2,\"mac\":\"" +
            std::string(mac_of_line(std::string_view{good[8]}.substr(0, good[8].size() - 1))) +
            "\",\"signature\":\"\"}\nT warning audit_checkpoint node=plant-1 boot=aaaa seq=6 mac=" +
            std::string(mac_of_line(std::string_view{good[5]}.substr(0, good[5].size() - 1))) +
            " signature=\"\"\nanother line\n"};
        const std::vector<Checkpoint> points = checkpoints_in(log);
        REQUIRE(points.size() == 2);
        CHECK(points[0].number == 2);
        CHECK(points[1].boot == "aaaa");
        CHECK(verify(good, points).faults.empty());
        CHECK(verify(good, points).vouched.find("line 6 of boot aaaa (a checkpoint in the log") ==
              0);
        std::vector<std::string> cut = good;
        cut.pop_back();
        CHECK(verify(cut).faults.empty());  // by itself it cannot be told
        const Verdict verdict = verify(cut, points);
        REQUIRE(verdict.faults.size() == 1);
        CHECK(verdict.faults[0].find("line 2 of boot bbbb was written and is not here") == 0);
        std::vector<Checkpoint> other = points;
        other[0].mac[0] = other[0].mac[0] == '0' ? '1' : '0';
        CHECK(verify(good, other).faults.size() == 1);
    }

    TEST_CASE("a crash leaves half a line: said, and no fault") {
        std::vector<std::string> trail = some_trail();
        trail.back().resize(trail.back().size() / 2);
        Verdict verdict = verify(trail);
        CHECK(verdict.faults.empty());
        REQUIRE(verdict.warnings.size() == 1);
        CHECK(verdict.warnings[0].find("incomplete") != std::string::npos);
        // The next start begins after it, bound to the last whole line.
        AuditChain third{as_bytes(kKey), "plant-1", "cccc"};
        const std::string& last = trail[trail.size() - 2];
        trail.push_back("\n" + third.begin("T", mac_of_line(std::string_view{last}.substr(
                                                    0, last.size() - 1))));
        verdict = verify(trail);
        CHECK(verdict.faults.empty());
        CHECK(verdict.boots == 3);
    }
}
