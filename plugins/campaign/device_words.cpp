#include "plugins/campaign/device_state.hpp"

#include <array>

namespace airmail::plugins::campaign {

namespace {

constexpr std::array<std::string_view, 6> status_names{"pending", "downloading", "installing", "completed", "failed", "rollback"};
constexpr std::array<std::string_view, 18> stage_names{
    "waiting", "admitted", "sent", "delivered", "accepted", "deferred", "downloading", "downloaded", "verifying", "installing",
    "rebooting", "probation", "confirmed", "inferred", "already_installed", "failed", "reported", "rollback_inferred"};
constexpr std::array<int, 18> ranks{0, 2, 4, 6, 8, 8, 10, 20, 25, 30, 40, 50, 100, 100, 100, 110, 120, 120};
constexpr std::array<std::string_view, 19> reason_names{
    "", "checksum_mismatch", "signature_invalid", "manifest_expired", "incompatible", "downgrade_refused", "no_space",
    "download_error", "url_expired", "stalled", "no_response", "install_timeout", "boot_loop", "rejected", "unspecified",
    "cancelled", "superseded", "not_applicable", "device_removed"};

template <class E, std::size_t N>
std::optional<E> find(std::array<std::string_view, N> const& names, std::string_view s) {
    for (std::size_t i = 0; i < N; ++i)
        if (names[i] == s) return static_cast<E>(i);
    return std::nullopt;
}

}

int rank_of(stage s) { return ranks[static_cast<std::size_t>(s)]; }
std::string_view name_of(status s) { return status_names[static_cast<std::size_t>(s)]; }
std::string_view name_of(stage s) { return stage_names[static_cast<std::size_t>(s)]; }
std::string_view name_of(reason r) { return reason_names[static_cast<std::size_t>(r)]; }
std::optional<status> status_named(std::string_view s) { return find<status>(status_names, s); }
std::optional<stage> stage_named(std::string_view s) { return find<stage>(stage_names, s); }
std::optional<reason> reason_named(std::string_view s) { return find<reason>(reason_names, s); }

status status_of(stage s) {
    switch (s) {
    case stage::downloading: case stage::downloaded: case stage::verifying: return status::downloading;
    case stage::installing: case stage::rebooting: case stage::probation: return status::installing;
    case stage::confirmed: case stage::inferred: case stage::already_installed: return status::completed;
    case stage::failed: return status::failed;
    case stage::rollback_reported: case stage::rollback_inferred: return status::rollback;
    default: return status::pending;
    }
}

bool counts_as_failure(reason r) {
    return r != reason::none && r != reason::cancelled && r != reason::superseded && r != reason::not_applicable && r != reason::device_removed;
}

int retries_of(reason r) {
    switch (r) {
    case reason::checksum_mismatch: return 1;      // transfer damage; twice the same is not damage
    case reason::download_error: case reason::url_expired: case reason::stalled: case reason::no_response: return 3;
    default: return 0;
    }
}

bool terminal(device_row const& r) { return rank_of(r.at) >= 100 && !r.retry_pending; }

std::int64_t backoff(timers const& t, std::uint32_t attempt, std::uint64_t jitter) {
    std::int64_t wait = t.retry;
    for (std::uint32_t i = 1; i < attempt && i < 8; ++i) wait *= 4;
    std::int64_t spread = wait / 4;
    return wait + (spread > 0 ? static_cast<std::int64_t>(jitter % static_cast<std::uint64_t>(spread)) : 0);
}

}
