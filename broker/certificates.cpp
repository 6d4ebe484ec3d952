#include "broker/certificates.hpp"

#include "broker/house.hpp"
#include "broker/log/log.hpp"

namespace airmail {
namespace {

std::int64_t wall_s() { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

certificate_row row_of(std::string name, net::tls_context const& t) {
    certificate_row r;
    r.listener = std::move(name), r.not_after = t.not_after(), r.not_before = t.not_before();
    if (auto const* lists = t.revocations()) r.revoked = lists->entries(), r.lists = lists->lists(), r.next_update = lists->next_update();
    return r;
}

}

std::vector<certificate_row> broker::house::server_certificates() const {
    std::vector<certificate_row> rows;
    std::lock_guard hold(doors_lock);
    for (auto const& d : doors)
        if (d.origin.security && (rows.empty() || rows.back().listener != d.name)) rows.push_back(row_of(d.name, *d.origin.security->current()));
    if (web_tls) rows.push_back(row_of("https", *web_tls->current()));
    return rows;
}

void broker::house::warn_of_certificates() {
    auto const now = wall_s();
    for (auto const& r : server_certificates()) {
        // A machine without a clock of its own wakes up in 1970: then nobody's certificate is valid yet, ours included.
        if (now < r.not_before)
            log::error("net", {{"listener", r.listener}, {"clock", now}, {"not_before", r.not_before}}, "the clock is before the server's certificate: it is not set, and no client can come in until it is");
        auto const days = days_left(r.not_after, now);
        if (r.not_after && days < certificate_alarm_days)
            log::warn("net", {{"listener", r.listener}, {"days_left", days}}, "the server's certificate {}: renew it and reload", days < 0 ? "has expired" : "expires soon");
        if (r.next_update && r.next_update < now)
            log::error("net", {{"listener", r.listener}}, "a list of revoked certificates has expired: its clients are refused until a new one is loaded");
    }
}

void broker::house::warn_daily() {
    warn_of_certificates();
    tomorrow.in(shards.front()->timers(), 24 * 3600 * 1000, [this] { warn_daily(); });
}

}
