#pragma once
// Everything a running broker owns, in the order in which it is made; destroyed backwards. Known to broker*.cpp alone.

#include "broker/admin/http_server.hpp"
#include "broker/broker.hpp"
#include "broker/gate.hpp"
#include "broker/handlers/mqtt.hpp"
#include "broker/handlers/recovery.hpp"
#include "broker/host/plugin_host.hpp"
#include "broker/log/metrics.hpp"
#include "broker/net/network.hpp"
#include "broker/passwords.hpp"
#include "broker/replication.hpp"
#include "broker/rest.hpp"
#include "broker/way_out.hpp"

#include <atomic>
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
    void open_copies();
    void open_http();
    void run();

    std::string not_ready() const;
    std::string degraded() const { return copies ? copies->degraded() : std::string(); }
    std::string option(std::string_view plugin, std::string_view key) const;

    config::config settings;
    std::vector<airmail_plugin_v1_t const*> built_in;
    std::string directory;                       // DATA
    int lock_fd = -1;
    std::atomic<bool> serving{false}, draining{false};

    handlers::recovered kept;
    std::unique_ptr<storage::store> store;
    std::optional<storage::firmware::firmware_store> images;
    handlers::world world;
    std::vector<std::unique_ptr<shard::shard>> shards;
    std::unique_ptr<way_out> out;
    std::unique_ptr<host::plugin_host> plugins;
    std::unique_ptr<gate> plugin_gate;
    std::unique_ptr<passwords> logins;
    std::vector<std::unique_ptr<handlers::mqtt>> protocols;
    std::unique_ptr<net::network> network;
    struct door { net::listener* listener; net::origin origin; std::string name; };
    std::vector<door> doors;
    std::vector<broker::bound> bound;
    std::shared_ptr<net::tls> web_tls;
    std::unique_ptr<replication> copies;         // none without plugins: nothing to copy
    std::unique_ptr<house_paths> own_paths;
    std::unique_ptr<rest> api;
    std::unique_ptr<admin::http_server> http;
    std::uint16_t https_port = 0, metrics_port = 0;
    std::vector<metrics::probe> probes;
    std::vector<std::thread> threads;
};

}
