// Starting a broker, one step a function, in the order of broker::start().

#include "broker/addresses.hpp"
#include "broker/backup.hpp"
#include "broker/config/limits.hpp"
#include "broker/config/value.hpp"
#include "broker/disk_room.hpp"
#include "broker/handlers/queue_bound.hpp"
#include "broker/house.hpp"
#include "broker/listeners.hpp"
#include "broker/log/log.hpp"
#include "broker/rules.hpp"
#include "broker/version.hpp"
#include "storage/sqlite/db.hpp"
#include "storage/sqlite/migrations.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/core.h>
#include <map>
#include <pthread.h>
#include <sstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail {
namespace {

std::int64_t wall_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void make_private(std::string const& path) {
    std::error_code ec;
    std::filesystem::create_directories(path, ec);
    if (ec || ::chmod(path.c_str(), 0700) != 0) throw startup_error(74, fmt::format("cannot make the data directory {}: {}", path, ec ? ec.message() : std::strerror(errno)));
}

/// Keys, people, audit: what the broker itself asks registry.db for.
void make_core_tables(std::string const& path) {
    try {
        storage::sqlite::db d{path};
        storage::sqlite::migrate_core(d, wall_ms());
    } catch (storage::sqlite::error const& e) { throw startup_error(74, fmt::format("{}: {}", path, e.what())); }
}

router::share_strategy strategy_of(std::string_view name) {
    using enum router::share_strategy;
    return name == "hash" ? hash : name == "sticky" ? sticky : name == "least_loaded" ? least_loaded : round_robin;
}

int code_of(boost::system::error_code ec) {
    if (ec == storage::errc::locked) return 75;
    if (ec == storage::errc::damaged || ec == storage::errc::version) return 73;
    return 74;
}

}

void broker::house::take_directory() {
    // persistence_location X means X/airmail/ (DECISIONS); ours is store_path. mosquitto.db is never touched.
    auto const theirs = settings.text("persistence_location");
    directory = settings.written("store_path") || theirs.empty() ? std::string(settings.text("store_path")) : std::string(theirs) + "/airmail";
    while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
    make_private(directory);
    auto const path = directory + "/lock";
    lock_fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock_fd < 0) throw startup_error(74, fmt::format("cannot open {}: {}", path, std::strerror(errno)));
    if (::flock(lock_fd, LOCK_EX | LOCK_NB) != 0)
        throw startup_error(75, fmt::format("{} is locked: another airmaild runs on this data directory (stop it, or give store_path another)", directory));
}

void broker::house::open_store() {
    storage::store_options o;
    o.directory = directory + "/hot";
    o.map_bytes = settings.size("store_map_size");
    bool const off = settings.written("persistence") && !settings.flag("persistence");
    o.in_memory = off || settings.text("store_durability") == "memory";
    o.wall_ms = wall_ms;
    std::string why;
    if (!o.in_memory) {
        disk.emplace(directory, disk_limits_of(settings));
        speak(*disk, [this](std::string_view severity, std::string const& text) { raise_alert(severity, severity == "critical" ? "disk_full" : "disk_low", text); });
    }
    auto opened = disk ? storage::open_watched(o, kept.callbacks(), *disk, why) : storage::store::open(o, kept.callbacks(), why);
    if (!opened) throw startup_error(code_of(opened.error()), fmt::format("cannot open {}: {}{}", o.directory, why.empty() ? opened.error().message() : why, ""));
    store = std::move(*opened);
    for (auto const& line : store->damaged()) log::error("storage", {}, "{}", line);
    std::string which;
    auto keys = storage::firmware::image_keys::load(settings.list("ota_firmware_key"), which);
    if (!keys) throw startup_error(78, fmt::format("ota_firmware_key {}: {} (a file of ours, 0600, with 64 hex digits: openssl rand -hex 32)", which, keys.error().message()));
    auto images_opened = storage::firmware::firmware_store::open(directory + "/firmware", std::move(*keys));
    if (!images_opened) throw startup_error(74, fmt::format("cannot open {}/firmware: {}", directory, images_opened.error().message()));
    images.emplace(std::move(*images_opened));
    if (missing_keys = images->missing_keys(); !missing_keys.empty()) log::error("storage", {}, "{}", missing_keys);
    log::info("storage", {{"directory", directory}}, "store open: a PUBACK means {}", o.in_memory ? "in memory (store_durability memory)" : "on disk");
}

void broker::house::make_shards() {
    auto n = static_cast<unsigned>(settings.number("shard_count"));
    if (n == 0) n = std::max(1u, std::thread::hardware_concurrency());
    shard::shard_options options;
    if (!settings.flag("shard_folding")) options.fold_below = 0;
    shards = shard::make_shards(std::min(n, 64u), options);
    world.store = store.get();
    world.publish_revoked_wills = settings.text("device_revoked_will") == "publish";
    world.wall_s = [] { return wall_ms() / 1000; };
    world.limits.retained.age_ms = settings.number("retain_expiry_interval") * 60'000;
    world.limits.upgrade_qos = settings.flag("upgrade_outgoing_qos");
    world.limits.sessions = static_cast<std::uint64_t>(std::max<std::int64_t>(settings.number("global_max_clients"), 0));
    world.limits.shared_groups = static_cast<std::size_t>(settings.number("limit_shared_groups"));
    world.limits.share = strategy_of(settings.text("airmail_share_strategy"));
    world.limits.retained.messages = static_cast<std::size_t>(settings.number("limit_retained_total"));
    world.limits.retained.bytes = settings.size("limit_retained_total_size");
    out = std::make_unique<way_out>(world);
}

std::string broker::house::option(std::string_view plugin, std::string_view key) const {
    for (auto const& p : settings.plugins())
        if (p.name == plugin)
            if (auto found = p.options.find(std::string(key)); found != p.options.end()) return found->second;
    if (key == "ota_firmware_dir") return directory + "/firmware";
    if (key == "ota_url_keys" && settings.text(key).empty()) return directory + "/url.keys";
    return config::find(key) ? settings.as_written(key) : std::string{};
}

namespace {

bool asks_inline(config::plugin_block const& p) {
    auto const written = p.options.find("plugin_inline");
    return written != p.options.end() && config::to_flag(written->second).value_or(false);   // checked when it was read
}

}

void broker::house::seat_plugins() {
    host::host_options o;
    o.database = directory + "/registry.db";
    o.now_ms = [s = store.get()] { return s->now_ms(); };
    o.wall_ms = wall_ms;
    o.hook_warn = settings.duration("limit_plugin_warn");
    o.stuck_after = settings.duration("limit_plugin_fail");
    o.durable_max = o.loose_max = static_cast<std::size_t>(std::max<std::int64_t>(settings.number("limit_plugin_queue"), 16));
    o.option = [this](std::string_view plugin, std::string_view key) { return option(plugin, key); };
    for (auto const& p : settings.plugins())
        for (auto const& [name, value] : p.options)
            if (name == "plugin_refuse_grant") {
                std::istringstream lines(value);   // one for each time it was written
                for (std::string one; std::getline(lines, one);) o.refused_grants.push_back(p.name + " " + one);
            }
    plugins = std::make_unique<host::plugin_host>(std::move(o), *out, store.get());
    bool devices = false;
    for (auto const& l : settings.listeners()) devices |= l.device();
    try {
        // Update plugins are off on a Mosquitto configuration until a line asks for them (DECISIONS).
        for (auto const* table : built_in) {
            std::string_view const id(table->id.ptr, table->id.len);
            bool asked = devices;
            for (auto const& p : settings.plugins()) asked |= p.name == id || p.name == "ota";
            if (asked) plugins->add(table), updates = true;
        }
        for (auto const& p : settings.plugins())
            if (p.is_path()) plugins->add_file(p.name, asks_inline(p));
            else if (asks_inline(p)) log::warn("config", {}, "{}:{}: plugin_inline has no effect on {}: it is for shared objects that decide logins", p.file, p.line, p.name);
        plugins->prepare();
    } catch (host::refusal const& e) {
        throw startup_error(78, e.what());
    }
    plugin_gate = std::make_unique<gate>(*plugins, world);
    world.gate = plugin_gate.get();
}

namespace {

/// By port; under 0 the widest, for sessions of a listener that is gone: a changed port must not cost messages.
std::map<std::uint16_t, session::queue_limits> queue_bounds(config::config const& settings) {
    auto const wider = [](std::uint32_t a, std::uint32_t b) { return a == 0 || b == 0 ? 0u : std::max(a, b); };   // 0 = no limit
    std::map<std::uint16_t, session::queue_limits> out;
    for (auto const& l : settings.listeners()) {
        auto const m = config::limits_of(l);
        session::queue_limits const own{m.queue_messages, static_cast<std::uint32_t>(std::min<std::uint64_t>(m.queue_bytes, UINT32_MAX))};
        auto& widest = out.try_emplace(0, own).first->second;
        widest = {wider(widest.messages, own.messages), wider(widest.bytes, own.bytes)};
        if (l.port != 0) out[l.port] = own;
    }
    out.try_emplace(0);
    return out;
}

}

void broker::house::load_access() {
    std::string why;
    rules_report report;
    seen_denials = std::make_shared<denials>();
    auto rules = load_rules(settings, plugins->grants(), seen_denials, report);
    if (!rules) throw startup_error(78, report.why);
    observing->store(settings.text("acl_mode") == "observe");
    if (*observing) log::warn("acl", {}, "acl_mode observe: the acl_file denies NOTHING; what it would deny is logged and counted");
    world.acl.set(std::move(rules));
    world.check_retain_source = checks_retain_source(settings);
    logins = std::make_unique<passwords>();
    auto users = load_passwords(settings, why, report.warnings);
    if (!users) throw startup_error(78, why);
    logins->use(std::move(*users));
    world.check_password = [this](handlers::login const& l, handlers::login_done done) { logins->check(l, std::move(done)); };
    world.scram = [this](std::uint16_t listener, std::string_view user) { return logins->scram(listener, user); };
    for (auto const& line : report.warnings) log::warn("acl", {}, "{}", line);
    for (auto& s : shards) protocols.push_back(handlers::make_protocol(*s, world));
    auto const back = handlers::restore(world, std::move(kept));
    handlers::bound_queues(world, [bounds = queue_bounds(settings)](std::uint16_t port) {
        auto const own = bounds.find(port);
        return own == bounds.end() ? bounds.at(0) : own->second;
    });
    if (back) log::info("broker", {{"sessions", back}}, "sessions are back from the store");
}

void broker::house::open_doors() {
    std::vector<shard::shard*> rooms;
    std::vector<handlers::protocol*> speakers;
    for (auto& s : shards) rooms.push_back(s.get());
    for (auto& p : protocols) speakers.push_back(p.get());
    net::network_options o;
    o.doors = admission_of(settings);
    o.front = front_door_of(settings);
    o.memory = memory_of(settings);
    o.ocsp.entries = static_cast<std::size_t>(settings.number("limit_ocsp_entries"));
    o.hash = [](handlers::session_key const& k) { return handlers::hash(k); };
    o.assign_client_id = [] { return handlers::assign_client_id(); };
    network = std::make_unique<net::network>(rooms, speakers, std::move(o));
    for (auto const& l : settings.listeners()) {
        auto options = listener_options_of(l);
        std::string why;
        auto const addresses = l.unix_path.empty() ? addresses_of(l, why) : std::vector<std::string>{""};
        if (addresses.empty()) throw startup_error(78, fmt::format("listener {}: {}", l.name(), why));
        for (auto const& address : addresses) {
            options.address = address;
            auto opened = network->listen(options);
            bool const first = address == addresses.front();
            // A machine without IPv6 has one loopback only; the first address of a listener must be there.
            if (!opened && !first && opened.error().code != EADDRINUSE) continue;
            if (!opened) throw startup_error(opened.error().code == EACCES || opened.error().code == EPERM ? 77 : 69, fmt::format("listener {}: {}", l.name(), opened.error().text));
            doors.push_back({*opened, options.from, l.name()});
            if (auto rules = first ? stapling_of(l) : nullptr) network->staple(options.from.security, std::move(rules));
            if (first) bound.push_back({l.name(), l.unix_path.empty() ? address : l.unix_path, (*opened)->port()}), options.port = (*opened)->port();
        }
    }
}

/// What $CONTROL/broker/v1 tells.
void broker::house::describe_control() {
    std::vector<std::string> ids;
    for (auto const& l : plugins->lanes())
        for (auto const& i : l->seats()) ids.push_back(i->id);
    std::vector<control_api::listener> rows;
    for (auto const& l : settings.listeners()) {
        auto const at = std::find_if(bound.begin(), bound.end(), [&](auto const& b) { return b.name == l.name(); });
        rows.push_back({at == bound.end() ? l.port : at->port, std::string(l.protocol()), l.address, l.unix_path, l.tls()});
    }
    plugin_gate->tells({std::move(ids), std::move(rows)});
    plugin_gate->serve_control(settings.flag("enable_control_api"));
}

void broker::house::open_copies() {
    if (!plugins->lanes().empty()) copies = std::make_unique<replication>(settings, directory + "/registry.db", *plugins, wall_ms);
    else if (!settings.text("replicate_postgres").empty() || !settings.text("replicate_redis").empty())
        log::warn("replicate", {}, "replicate_* has no effect: no plugin is loaded, so there are no tables to copy");
}

void broker::house::open_http() {
    // Keys and audit are asked for without plugins, too; with them a lane has made the tables.
    if (plugins->lanes().empty()) make_core_tables(directory + "/registry.db");
    house_paths::services s;
    s.replication = [this] { return copies ? copies->report() : std::string(R"({"destinations":[]})"); };
    if (copies) s.status = [c = copies.get()](storage::reads::subject about, std::string id, storage::reads::answered done) { c->ask(about, std::move(id), std::move(done)); };
    s.backup = [this](std::string const& to) { return make_backup({*store, directory}, to); };
    s.denials = seen_denials;
    s.observing = [o = observing] { return o->load(); };
    s.certificates = [this] { return server_certificates(); };
    s.reload = ask_reload;
    own_paths = std::make_unique<house_paths>(directory + "/registry.db", world, std::move(s));
    // Without HTTPS nobody could reach the page, and without update plugins it has nothing to show: then there is none, and REST alone.
    bool const paged = web && updates && !settings.text("http_certfile").empty() && settings.number("http_port") != 0;
    auto const too_low = [this](std::uint64_t bytes) { return disk ? disk->too_low_for(bytes) : std::string(); };
    auto const life = std::chrono::duration_cast<std::chrono::milliseconds>(settings.duration("http_upload_expiry")).count();
    uploads = std::make_unique<open_uploads>(directory + "/uploads", open_uploads::bounds{static_cast<std::size_t>(settings.number("http_uploads_max")), settings.size("http_upload_max"), settings.size("http_uploads_size"), life, too_low}, wall_ms);
    rest::parts parts{*plugins, *own_paths, *images, *uploads, settings.size("http_upload_max"), [this] { return not_ready(); }, [this] { return degraded(); }, paged ? web.get() : nullptr,
                      [this](std::function<void()> f) { http->run(std::move(f)); }, too_low};
    api = std::make_unique<rest>(std::move(parts));
    admin::http_limits limits;
    limits.upload_bytes_max = settings.size("http_upload_max");
    limits.header_bytes_max = static_cast<std::uint32_t>(settings.size("limit_http_header"));
    limits.body_bytes_max = settings.size("limit_http_body");
    limits.deadline = std::max(std::chrono::seconds(1), std::chrono::duration_cast<std::chrono::seconds>(settings.duration("limit_http_timeout")));
    limits.linger = std::max(std::chrono::seconds(1), std::chrono::duration_cast<std::chrono::seconds>(settings.duration("limit_http_linger_time")));
    limits.linger_bytes_max = settings.size("limit_http_linger");
    limits.connections_max = static_cast<std::uint32_t>(settings.number("http_connections_max"));
    http = std::make_unique<admin::http_server>(*api, limits);
    out->on_revoke = [h = http.get()](std::string token) { h->revoke(std::move(token)); };
    try {
        // A port of 0 is off, for both.
        if (!settings.text("http_certfile").empty() && settings.number("http_port") != 0) {
            web_tls = https_tls(settings);
            bool const everywhere = settings.written("http_admin_bind") && settings.text("http_admin_bind") != "127.0.0.1";
            https_port = http->listen_https(std::string(settings.text("http_bind")), static_cast<std::uint16_t>(settings.number("http_port")), [t = web_tls] { return t->current(); }, everywhere);
        }
        if (settings.number("metrics_port") != 0 && (settings.written("metrics_port") || web_tls))
            metrics_port = http->listen_metrics(std::string(settings.text("metrics_bind")), static_cast<std::uint16_t>(settings.number("metrics_port")));
        if (auto const path = std::string(settings.text("control_socket")); !path.empty() && (settings.written("control_socket") || web_tls)) {
            std::error_code ec;
            std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ec);
            http->listen_control(path);
        }
    } catch (boost::system::system_error const& e) {
        bool const taken = e.code() == boost::system::errc::address_in_use;
        throw startup_error(taken ? 69 : e.code() == boost::system::errc::permission_denied ? 77 : 74,
                            fmt::format("HTTP (http_port {}, metrics_port {}, control_socket {}): {}", settings.number("http_port"), settings.number("metrics_port"), settings.text("control_socket"), e.code().message()));
    }
}

/// Last, when everything it asks about is there.
void broker::house::open_web() {
    if (!web || !https_port) return;
    if (!updates) return log::warn("dashboard", {}, "there is no dashboard: it shows devices and campaigns, and no update plugin is loaded; `airmail_plugin ota` loads them. HTTPS serves the REST API alone");
    web_house::parts p{*plugins, *own_paths, *logins, [h = http.get()](std::function<void()> f) { h->run(std::move(f)); }, [this] { return not_ready(); },
                       [this] { return api->metrics(); }, {}, {}, {}, directory};
    p.listeners = [this] {
        std::vector<sdk::web_listener> all;
        for (auto const& b : bound) all.push_back({b.name, b.address, b.port});
        all.push_back({"https", std::string(settings.text("http_bind")), https_port});
        return all;
    };
    p.certificates = [this] {
        std::vector<sdk::web_certificate> all;
        if (auto const t = web_tls->current()) all.push_back({"https", std::string(settings.text("http_certfile")), t->not_after()});
        for (auto const& d : doors)
            if (d.origin.security)
                if (auto const t = d.origin.security->current()) all.push_back({"listener " + d.name, d.name, t->not_after()});
        return all;
    };
    p.address = [this] { return fmt::format("https://{}:{}", settings.written("http_admin_bind") && settings.text("http_admin_bind") != "0.0.0.0" ? settings.text("http_admin_bind") : "localhost", https_port); };
    web_side = std::make_unique<web_house>(std::move(p), settings);
    try {
        web->start(*web_side);
    } catch (std::exception const& e) {
        throw startup_error(74, fmt::format("dashboard: {}", e.what()));
    }
}

void broker::house::run() {
    store->start();
    bridges = std::make_unique<bridge::bridges>(world, bridge::rules_of(settings));
    for (auto const& line : bridges->apply(settings)) log::info("bridge", {}, "{}", line);
    network->start();
    system = std::make_unique<system_topics>(world, std::chrono::seconds(settings.number("sys_interval")), wall_ms, disk ? &*disk : nullptr);
    system->start();
    store_voice = std::make_unique<store_watch>(*store, world.shards.front()->on().timers());
    store_voice->start();
    for (std::size_t i = 0; i < shards.size(); ++i)
        threads.emplace_back([s = shards[i].get(), i] {
            pthread_setname_np(pthread_self(), fmt::format("airmail-shard{}", i).c_str());
            s->run();
        });
    // Before the doors: what a client publishes first must find the bridges' sessions there. Who knocks waits in the backlog.
    if (!bridges->wait_heard(std::chrono::seconds(10))) log::warn("bridge", {}, "a bridge's local session is not stored yet; what is published before it is does not cross");
    network->accept();
    plugins->start();
    if (copies) copies->start();
    using metrics::kind;
    auto stat = [this](auto member) { return [s = store.get(), member] { return static_cast<double>(s->stats().*member); }; };
    using st = storage::store::statistics;
    probes.emplace_back(kind::counter, "airmail_storage_commits_total", "Transactions committed and synced by the hot store.", stat(&st::commits));
    probes.emplace_back(kind::counter, "airmail_storage_changes_total", "Changes stored.", stat(&st::changes));
    probes.emplace_back(kind::counter, "airmail_storage_syncs_failed_total", "Commits that failed; nothing of them was acknowledged.", stat(&st::syncs_failed));
    probes.emplace_back(kind::gauge, "airmail_storage_failing_stores", "1 while the hot store refuses (full, failing disk, little room) and acknowledgements carry 0x97, else 0.",
                        [this] { return store->trouble().empty() && (!disk || disk->level() == storage::disk_level::plenty) ? 0.0 : 1.0; });
    if (disk) measure(*disk, probes);
    probes.emplace_back(kind::counter, "airmail_storage_records_damaged_total", "Records skipped because their checksum or form was wrong.", stat(&st::records_damaged));
    probes.emplace_back(kind::counter, "airmail_storage_records_cleaned_total", "Superseded records removed by the cleaner.", stat(&st::cleaned));
    probes.emplace_back(kind::gauge, "airmail_storage_used_bytes", "Bytes of the hot store in use.", stat(&st::bytes_used));
    probes.emplace_back(kind::gauge, "airmail_storage_queue_changes", "Changes waiting for the writer.", stat(&st::queue_depth));
    auto web = [this](auto member) { return [h = http.get(), member] { return static_cast<double>(h->counters().*member); }; };
    using hc = admin::http_counters;
    probes.emplace_back(kind::gauge, "airmail_admin_connections", "HTTP connections open.", web(&hc::connections));
    probes.emplace_back(kind::counter, "airmail_admin_requests_total", "HTTP requests.", web(&hc::requests));
    probes.emplace_back(kind::counter, "airmail_admin_sent_bytes_total", "Bytes of HTTP bodies and headers sent.", web(&hc::bytes_sent));
    probes.emplace_back(kind::counter, "airmail_admin_files_sent_total", "File transfers that ended whole.", web(&hc::files_sent));
    probes.emplace_back(kind::counter, "airmail_admin_transfers_cut_total", "File transfers cut by revocation.", web(&hc::transfers_cut));
    probes.emplace_back(kind::counter, "airmail_admin_lingered_total", "Answers given while the peer still sent a body that nobody wanted.", web(&hc::lingered));
    probes.emplace_back(kind::counter, "airmail_admin_lingers_cut_total", "Of those: closed under a peer that had not ended.", web(&hc::lingers_cut));
    probes.emplace_back(kind::counter, "airmail_admin_refused_connections_total", "HTTP connections refused at the cap or at the control socket.", web(&hc::connections_refused));
    open_web();
    for (auto const& r : server_certificates())
        probes.emplace_back(kind::gauge, "airmail_net_certificate_left_seconds", "Time until the certificate that a listener shows expires.",
                            [this, name = r.listener] {
                                for (auto const& now : server_certificates())
                                    if (now.listener == name) return static_cast<double>(now.not_after - wall_ms() / 1000);
                                return 0.0;
                            }, metrics::labels{{"listener", r.listener}});
    shards.front()->post_external([this] { warn_daily(); });
    serving = true;
    http->start();
    for (auto const& b : bound) log::info("net", {{"listener", b.name}, {"port", b.port}}, "listening");
    if (https_port) log::info("admin", {{"port", https_port}}, "HTTPS up");
    log::info("broker", {{"version", version}, {"shards", shards.size()}}, "airmaild is up");
}

void broker::house::raise_alert(std::string_view severity, std::string_view kind, std::string_view text) {
    if (!serving) return;
    plugins->call("alert.raise", boost::json::serialize(boost::json::object{{"severity", std::string(severity)}, {"kind", std::string(kind)}, {"text", std::string(text)}}), {"broker", "admin", {}, {}, 0}, [](int, std::string) {});
}

std::string broker::house::not_ready() const {
    std::string why;
    if (!serving) why += "starting\n";
    if (draining) why += "draining\n";
    if (auto const t = store->trouble(); !t.empty()) why += "store: " + t + "\n";
    if (auto const t = disk ? disk->trouble() : std::string(); !t.empty()) why += "store: " + t + "\n";
    if (auto const t = plugins->trouble(); !t.empty()) why += t + "\n";
    if (!missing_keys.empty()) why += "firmware: " + missing_keys + "\n";
    return why;
}

}
