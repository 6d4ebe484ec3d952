#pragma once
// Everything a running broker owns, in the order in which it is made; destroyed backwards. Known to broker*.cpp alone.

#include "broker/admin/http_server.hpp"
#include "broker/bridge/bridges.hpp"
#include "broker/broker.hpp"
#include "broker/certificates.hpp"
#include "broker/denials.hpp"
#include "broker/gate.hpp"
#include "broker/handlers/mqtt.hpp"
#include "broker/handlers/recovery.hpp"
#include "broker/host/plugin_host.hpp"
#include "broker/log/metrics.hpp"
#include "broker/net/network.hpp"
#include "broker/passwords.hpp"
#include "broker/replication.hpp"
#include "broker/rest.hpp"
#include "broker/store_watch.hpp"
#include "broker/system_topics.hpp"
#include "broker/way_out.hpp"
#include "broker/web_house.hpp"
#include "storage/disk_watch.hpp"

#include <atomic>
#include <mutex>
#include <thread>

namespace airmail {

struct broker::house {
    explicit house(config::config c) : settings(std::move(c)) {}

    // broker_start.cpp, one step each, in this order.
    void take_directory();
    void open_store();
    void make_shards();
    void seat_plugins();
    void load_access();
    void open_doors();
    void describe_control();
    void open_copies();
    void open_http();
    void open_web();
    void run();
    /// Ends every thread there is, in the order in which they need one another. Also of a start that came only so far.
    void take_down();

    void retire(acl::engine_ptr old);
    std::string not_ready() const;
    /// Through the plugin ota.alert, when it is loaded and the broker serves. Any thread, never waits.
    void raise_alert(std::string_view severity, std::string_view kind, std::string_view text);
    /// The certificates we show, as they are now.
    std::vector<certificate_row> server_certificates() const;
    /// A line in the log for each of them that ends within 30 days. At start, at each reload, once a day.
    void warn_of_certificates();
    void warn_daily();
    std::string degraded() const { return copies ? copies->degraded() : std::string(); }
    std::string option(std::string_view plugin, std::string_view key) const;

    config::config settings;
    std::vector<airmail_plugin_v1_t const*> built_in;
    std::string directory;                       // DATA
    int lock_fd = -1;
    std::atomic<bool> serving{false}, draining{false};

    handlers::recovered kept;
    std::optional<storage::disk_watch> disk;   // none with level memory; outlives the store
    std::unique_ptr<storage::store> store;
    std::optional<storage::firmware::firmware_store> images;
    std::string missing_keys;                  // sealed images we cannot open, found at the start
    handlers::world world;
    std::vector<std::unique_ptr<shard::shard>> shards;
    std::unique_ptr<way_out> out;
    std::unique_ptr<host::plugin_host> plugins;
    std::unique_ptr<gate> plugin_gate;
    std::unique_ptr<passwords> logins;
    std::shared_ptr<denials> seen_denials;
    std::shared_ptr<std::atomic<bool>> observing = std::make_shared<std::atomic<bool>>(false);
    std::vector<acl::engine_ptr> retired;        // rules of before a reload, until no shard reads them
    std::vector<std::unique_ptr<handlers::mqtt>> protocols;
    std::unique_ptr<net::network> network;
    std::unique_ptr<system_topics> system;
    std::unique_ptr<store_watch> store_voice;
    std::unique_ptr<bridge::bridges> bridges;
    struct door { net::listener* listener; net::origin origin; std::string name; };
    std::vector<door> doors;
    mutable std::mutex doors_lock;               // origins of doors: a reload writes them, certificates are asked for anywhere
    shard::reminder tomorrow;
    std::function<void(reload_answer)> ask_reload;   // broker::on_reload_request
    std::vector<broker::bound> bound;
    std::shared_ptr<net::tls> web_tls;
    std::unique_ptr<replication> copies;         // none without plugins: nothing to copy
    std::unique_ptr<house_paths> own_paths;
    std::unique_ptr<web_house> web_side;
    std::unique_ptr<sdk::web_service> web;   // given to us; begun with HTTPS and an update plugin
    bool updates = false;                    // some built-in plugin is loaded
    std::unique_ptr<open_uploads> uploads;
    std::unique_ptr<rest> api;
    std::unique_ptr<admin::http_server> http;
    std::uint16_t https_port = 0, metrics_port = 0;
    std::vector<metrics::probe> probes;
    std::vector<std::thread> threads;
};

}
