#include "ra/asn1/time.h"

#include <cstdio>

namespace ra::asn1 {
namespace {

/// `digits` decimal digits from `at`, or -1.
int number(ByteView text, std::size_t at, std::size_t digits) noexcept {
    int value = 0;
    for (std::size_t i = at; i < at + digits; ++i) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

Result<WallTime> moment(int year, ByteView rest, std::string_view field) {
    using namespace std::chrono;
    const int month_number = number(rest, 0, 2);
    const int day_number = number(rest, 2, 2);
    const int hour = number(rest, 4, 2);
    const int minute = number(rest, 6, 2);
    const int second = number(rest, 8, 2);
    if (month_number < 0 || day_number < 0 || rest[10] != 'Z') return fail(Errc::bad_value, field);
    const year_month_day date{std::chrono::year{year}, month{static_cast<unsigned>(month_number)},
                              day{static_cast<unsigned>(day_number)}};
    const bool in_day =
        hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60;
    if (year < 0 || !date.ok() || !in_day) return fail(Errc::bad_value, field);
    return WallTime{sys_days{date} + hours{hour} + minutes{minute} + seconds{second}};
}

struct Parts {
    int year, month, day, hour, minute, second;
};

Parts parts_of(WallTime time) {
    using namespace std::chrono;
    const auto days_since = floor<days>(time);
    const year_month_day date{days_since};
    const hh_mm_ss clock{time - days_since};
    return {static_cast<int>(date.year()),
            static_cast<int>(static_cast<unsigned>(date.month())),
            static_cast<int>(static_cast<unsigned>(date.day())),
            static_cast<int>(clock.hours().count()),
            static_cast<int>(clock.minutes().count()),
            static_cast<int>(clock.seconds().count())};
}

}  // namespace

Result<WallTime> parse_generalized_time(ByteView content, std::string_view field) {
    if (content.size() != 15) return fail(Errc::bad_value, field);
    return moment(number(content, 0, 4), content.subspan(4), field);
}

Result<WallTime> parse_utc_time(ByteView content, std::string_view field) {
    if (content.size() != 13) return fail(Errc::bad_value, field);
    const int two = number(content, 0, 2);
    if (two < 0) return fail(Errc::bad_value, field);
    return moment(two < 50 ? 2000 + two : 1900 + two, content.subspan(2), field);
}

Result<WallTime> parse_time(const Tlv& tlv, std::string_view field) {
    if (tlv.tag == Tag::utc_time) return parse_utc_time(tlv.content, field);
    if (tlv.tag == Tag::generalized_time) return parse_generalized_time(tlv.content, field);
    return fail(Errc::bad_tag, field);
}

std::string generalized_time(WallTime time) {
    const Parts p = parts_of(time);
    char text[64];
    std::snprintf(text, sizeof text, "%04d%02d%02d%02d%02d%02dZ", p.year, p.month, p.day, p.hour,
                  p.minute, p.second);
    return text;
}

std::string readable_time(WallTime time) {
    const Parts p = parts_of(time);
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02dZ", p.year, p.month, p.day,
                  p.hour, p.minute, p.second);
    return text;
}

}  // namespace ra::asn1
