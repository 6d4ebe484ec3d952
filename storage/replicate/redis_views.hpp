#pragma once
// Which key of Redis says what: the present rows of devices, device_configs and campaigns as the documented JSON, byte for
// byte: ", " and ": " as printed there, the document's fields first, ours after them. No sockets; tested against the document.

#include "storage/outbox/outbox.hpp"
#include "storage/sqlite/db.hpp"

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace airmail::storage::replicate {

/// One key to be written: `value` empty = removed.
struct redis_view {
    std::string key, value;
    int life_s = 0;
    std::string channel, event, status;      // told on the channel; `event` "updated" becomes the status when that has changed
    std::string notice;                      // what the channel says when value is empty, without its closing brace
};

inline constexpr int device_life_s = 300, config_life_s = 3600, campaign_life_s = 600, recent_events = 1000;

/// The columns a key is made of, whichever database they were read from.
struct device_facts {
    std::string serial_no, model, firmware, status;
    std::int64_t last_seen_s = 0;
};
struct campaign_facts {
    std::string campaign_id, name, firmware_version, stage, status;
    std::int64_t total = 0, finished = 0;
    std::array<std::int64_t, 6> counts{};          // pending, downloading, installing, completed, failed, rollback
    std::int64_t updated_at_s = 0;
};
/// The documented value of device:{serial_no}, and ours of campaign:{id}.
std::string device_json(device_facts const& f);
std::string campaign_json(campaign_facts const& f);

/// What a batch of the outbox has touched.
struct touched_keys {
    std::map<std::string, char> devices;           // device_id -> op: 'I' registered, 'U' changed, 'D' gone, 'H' heard
    std::set<std::string> configs, campaigns, gone;               // gone: serial numbers of removed devices
    std::vector<std::pair<std::int64_t, std::string>> events;      // seq, JSON for events:recent
    void add(outbox_entry const& e);
    void add(folded_entry const& e);
};

/// Reads present rows; tables that are not there (a broker without the plugin) have no views.
class redis_views {
public:
    explicit redis_views(sqlite::db& d);
    std::vector<redis_view> of(touched_keys const& t);
    std::optional<redis_view> device(std::string const& device_id, std::string event);
    /// By serial number, or by device_id when there is no such serial number.
    std::optional<redis_view> device_called(std::string const& name);
    std::optional<redis_view> config(std::string const& device_id);
    std::optional<redis_view> campaign(std::string const& campaign_id);

    /// device_ids beyond `after` whose key should live now: connected, or changed within the key's life. At most `max`.
    std::vector<std::string> living_devices(std::string const& after, std::int64_t now_ms, std::size_t max);
    /// device_id and serial_no of connected devices beyond `after`.
    std::vector<std::pair<std::string, std::string>> connected(std::string const& after, std::size_t max);
    std::int64_t connected_count();
    std::vector<std::string> living_configs(std::int64_t now_ms);
    std::vector<std::string> living_campaigns(std::int64_t now_ms);
    /// Newest first.
    std::vector<std::string> recent(std::size_t max);

private:
    std::optional<redis_view> device_where(char const* condition, std::string const& name, std::string event);

    sqlite::db& db_;
    bool devices_ = false, configs_ = false, campaigns_ = false, events_ = false;
};

}
