#include "plugins/campaign/settings.hpp"

#include "plugins/kit/duration.hpp"

#include <stdexcept>

namespace airmail::plugins::campaign {

settings read_settings(sdk::context& ctx) {
    using kit::count_option, kit::duration_option;
    settings s;
    auto ms = [&](char const* key, std::int64_t& v) { v = duration_option(ctx, key, v); };
    auto n = [&](char const* key, int& v, int min, int max) { v = static_cast<int>(count_option(ctx, key, v, min, max)); };
    ms("ota_ack_timeout", s.t.ack), ms("ota_start_timeout", s.t.start), ms("ota_stall_timeout", s.t.stall);
    ms("ota_install_timeout", s.t.install), ms("ota_probation", s.t.probation), ms("ota_rollback_grace", s.t.rollback_grace);
    ms("ota_cancel_timeout", s.t.cancel), ms("ota_retry_backoff", s.t.retry), ms("ota_boot_loop_window", s.t.boot_loop_window);
    ms("ota_rollback_window", s.t.rollback_window);
    n("ota_probation_heartbeats", s.t.probation_heartbeats, 1, 100), n("ota_boot_loop_connects", s.t.boot_loop_connects, 2, 200);
    n("ota_resends", s.t.resends_max, 0, 100);
    ms("ota_url_life", s.url_life), ms("ota_url_life_renewable", s.url_life_renewable), ms("ota_phase_soak", s.phase_soak);
    n("ota_phase_success", s.phase_success, 0, 100), n("ota_phase_min", s.phase_min, 0, 1'000'000);
    s.max_in_flight = count_option(ctx, "ota_max_in_flight", s.max_in_flight, 1, 10'000'000);
    s.rate_per_min = count_option(ctx, "ota_rate_per_min", s.rate_per_min, 0, 100'000'000);
    s.rate_bytes = kit::size_option(ctx, "ota_rate_bytes", s.rate_bytes);
    s.approval = ctx.option("ota_approval") == "true";
    n("ota_admission_batch", s.admission_batch, 1, 10'000);
    n("ota_stop_signatures", s.signature_stop, 0, 1'000'000), n("ota_stop_boot_loops", s.boot_loop_stop, 0, 1'000'000);
    int good = 2, bad = 10;
    n("ota_stop_good_percent", good, 1, 99), n("ota_stop_bad_percent", bad, 0, 99);
    if (bad != 0 && bad <= good) throw std::runtime_error("ota_stop_bad_percent " + std::to_string(bad) + ": must be above ota_stop_good_percent " + std::to_string(good) + ", or 0");
    s.stop.good = good / 100.0, s.stop.bad = bad / 100.0;
    s.url_base = ctx.option("ota_url_base");
    if (s.url_base.empty()) s.url_base = "https://localhost:8443";
    while (!s.url_base.empty() && s.url_base.back() == '/') s.url_base.pop_back();
    s.url_keys = ctx.option("ota_url_keys"), s.command_key = ctx.option("ota_command_key");
    return s;
}

}
