#include "broker/broker.hpp"

#include "broker/house.hpp"
#include "broker/config/reload.hpp"
#include "broker/disk_room.hpp"
#include "broker/handlers/operate.hpp"
#include "broker/listeners.hpp"
#include "broker/log/log.hpp"
#include "broker/read_file.hpp"
#include "broker/rules.hpp"

#include <condition_variable>
#include <fmt/core.h>
#include <mutex>
#include <unistd.h>

namespace airmail {

broker::broker(config::config settings) : house_(std::make_unique<house>(std::move(settings))) {}

broker::~broker() { stop(); }

void broker::add(airmail_plugin_v1_t const& plugin) { house_->built_in.push_back(&plugin); }

void broker::serve_web(std::unique_ptr<sdk::web_service> service) { house_->web = std::move(service); }
void broker::on_reload_request(std::function<void(reload_answer)> f) { house_->ask_reload = std::move(f); }

void broker::start() {
    for (auto const& f : house_->settings.findings())  // airmaild has printed them all; who embeds us hears the first
        if (f.weight == config::finding::grade::error) throw startup_error(78, f.str());
    try {
        house_->take_directory();
        house_->open_store();
        house_->make_shards();
        house_->seat_plugins();
        house_->load_access();
        house_->open_doors();
        house_->describe_control();
        house_->open_copies();
        house_->open_http();
        house_->run();
    } catch (...) {
        house_->take_down();   // a thread that runs already must not outlive what it works on
        throw;
    }
}

std::vector<broker::bound> const& broker::listeners() const { return house_->bound; }
std::uint16_t broker::https_port() const { return house_->https_port; }
std::uint16_t broker::metrics_port() const { return house_->metrics_port; }

std::vector<std::string> broker::reload(config::config const& fresh) {
    std::vector<std::string> said;
    auto& h = *house_;
    std::string why;
    rules_report report;
    // Built aside, on this thread; the shards go on with the old rules until the pointer is swapped.
    if (auto rules = load_rules(fresh, h.plugins->grants(), h.seen_denials, report)) {
        h.retire(h.world.acl.set(std::move(rules)));
        h.world.check_retain_source = checks_retain_source(fresh);
        said.push_back("reload: access rules applied");
        // Each round of watching begins with an empty list.
        bool const watches = fresh.text("acl_mode") == "observe";
        if (watches && !h.observing->load()) h.seen_denials->clear();
        h.observing->store(watches);
        if (watches) said.push_back("reload: acl_mode observe: the acl_file denies NOTHING; what it would deny is logged and counted");
    }
    else said.push_back("reload: access rules refused, the running ones stay: " + report.why);
    if (auto users = load_passwords(fresh, why, report.warnings)) {
        h.logins->use(std::move(*users)), said.push_back("reload: passwords applied");
        // Who is no user any more is no client any more.
        handlers::recheck_logins(h.world, [l = h.logins.get()](acl::identity const& who) { return who.how != acl::proof::password || l->knows(who.listener, who.name); });
    } else {
        said.push_back("reload: passwords refused, the running ones stay: " + why);
    }
    for (auto const& line : report.warnings) said.push_back("reload: " + line);
    for (auto& d : h.doors)
        for (auto const& l : fresh.listeners()) {
            if (l.name() != d.name) continue;
            net::origin next;
            why.clear();
            if (reload_origin(l, d.origin, next, why)) {
                std::lock_guard hold(h.doors_lock);
                d.origin = next;
                d.listener->reload(next), said.push_back("reload: listener " + d.name + " has its certificates and limits anew");
            } else said.push_back("reload: " + why);
        }
    if (h.web_tls) {
        auto done = h.web_tls->reload();
        said.push_back(done ? std::string("reload: HTTPS certificate read again") : "reload: HTTPS certificate refused, the running one stays: " + done.error().text);
    }
    for (auto const& line : h.bridges->apply(fresh)) said.push_back("reload: " + line);
    if (h.plugin_gate) h.plugin_gate->serve_control(fresh.flag("enable_control_api"));
    if (h.disk) h.disk->set(disk_limits_of(fresh));
    h.world.publish_revoked_wills = fresh.text("device_revoked_will") == "publish";
    if (h.network) {
        h.network->doors().set(admission_of(fresh));
        h.network->front().set(front_door_of(fresh));
        h.network->limit_memory(memory_of(fresh));
        h.network->cut_revoked();
        h.network->look_at_staples();
    }
    h.warn_of_certificates();
    for (auto const& c : config::differences(h.settings, fresh))
        if (!c.now) said.push_back(fmt::format("reload: {}{}{} changes from `{}` to `{}` at the next restart", c.place, c.place.empty() ? "" : ": ", c.name, c.before, c.after));
    h.settings = fresh;
    return said;
}

void broker::house::retire(acl::engine_ptr old) {
    if (old) retired.push_back(std::move(old));
    // Freed on this thread: a shard that let go last would stand still for as long as it takes.
    for (int waits = 0; waits < 300; ++waits) {
        std::erase_if(retired, [](acl::engine_ptr const& e) { return e.use_count() == 1; });
        if (retired.empty() || !serving) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

void broker::drain() {
    auto& h = *house_;
    if (!h.serving || h.draining.exchange(true)) return;
    h.world.draining = true;
    h.network->stop_accepting();
    h.bridges->stop();
    struct ending {
        std::mutex lock;
        std::condition_variable over;
        bool done = false;
    };
    auto end = std::make_shared<ending>();  // shared: the network may be done after we have given up waiting
    h.network->drain(codec::reason::server_shutting_down, [end] {
        std::lock_guard hold(end->lock);
        end->done = true;
        end->over.notify_one();
    });
    std::unique_lock hold(end->lock);
    if (!end->over.wait_for(hold, h.settings.duration("shutdown_drain") + std::chrono::seconds(6), [&] { return end->done; }))
        log::warn("broker", {}, "draining took too long; the rest is cut");
}

void broker::stop() {
    if (!house_->serving.exchange(false)) return;
    house_->take_down();
    log::info("broker", {}, "stopped");
}

void broker::house::take_down() {
    if (bridges) bridges->stop();
    if (http) http->stop();
    if (web && web_side) web->stop();
    for (auto& s : shards) s->stop();
    for (auto& t : threads) t.join();
    threads.clear();
    if (logins) logins->stop();
    if (plugins) plugins->stop();
    if (copies) copies->stop();
    if (store) store->stop();
    network.reset();
    system.reset();
    store_voice.reset();
    if (lock_fd >= 0) ::close(lock_fd);
    lock_fd = -1;
}

}
