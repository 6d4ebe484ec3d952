#pragma once
// The certificates a broker shows and how long they last: for the log, the metrics and GET /api/v1/certificates.

#include <cstdint>
#include <string>

namespace airmail {

/// Days before its end at which a certificate is worth an alarm.
inline constexpr std::int64_t certificate_alarm_days = 30;

struct certificate_row {
    std::string listener;              // name in the configuration; "https"
    std::int64_t not_after = 0;        // unix seconds
    std::int64_t not_before = 0;       // likewise
    std::size_t revoked = 0;           // entries of its lists of revoked certificates
    std::size_t lists = 0;             // those lists; 0 = no crlfile
    std::int64_t next_update = 0;      // of the first list that ends, unix seconds
};

/// Whole days from `now` to `then`, rounded down; negative afterwards.
constexpr std::int64_t days_left(std::int64_t then, std::int64_t now) {
    auto const s = then - now;
    return s >= 0 ? s / 86400 : -((86399 - s) / 86400);
}

}
