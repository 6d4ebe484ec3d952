#include "broker/broker.hpp"

#include "broker/house.hpp"
#include "broker/config/reload.hpp"
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

void broker::start() {
    for (auto const& f : house_->settings.findings())  // airmaild has printed them all; who embeds us hears the first
        if (f.weight == config::finding::grade::error) throw startup_error(78, f.str());
    house_->take_directory();
    house_->open_store();
    house_->make_shards();
    house_->seat_plugins();
    house_->load_access();
    house_->open_doors();
    house_->open_copies();
    house_->open_http();
    house_->run();
}

std::vector<broker::bound> const& broker::listeners() const { return house_->bound; }
std::uint16_t broker::https_port() const { return house_->https_port; }
std::uint16_t broker::metrics_port() const { return house_->metrics_port; }

std::vector<std::string> broker::reload(config::config const& fresh) {
    std::vector<std::string> said;
    auto& h = *house_;
    std::string why;
    if (auto rules = load_rules(fresh, h.plugins->grants(), why)) h.world.acl.set(std::move(rules)), said.push_back("reload: access rules applied");
    else said.push_back("reload: access rules refused, the running ones stay: " + why);
    for (auto& d : h.doors)
        for (auto const& l : fresh.listeners()) {
            if (l.name() != d.name) continue;
            net::origin next;
            why.clear();
            if (reload_origin(l, d.origin, next, why)) d.origin = next, d.listener->reload(next), said.push_back("reload: listener " + d.name + " has its certificates and limits anew");
            else said.push_back("reload: " + why);
        }
    if (h.web_tls) {
        auto done = h.web_tls->reload();
        said.push_back(done ? std::string("reload: HTTPS certificate read again") : "reload: HTTPS certificate refused, the running one stays: " + done.error().text);
    }
    if (h.network) h.network->doors().set(admission_of(fresh));
    for (auto const& c : config::differences(h.settings, fresh))
        if (!c.now) said.push_back(fmt::format("reload: {}{}{} changes from `{}` to `{}` at the next restart", c.place, c.place.empty() ? "" : ": ", c.name, c.before, c.after));
    h.settings = fresh;
    return said;
}

void broker::drain() {
    auto& h = *house_;
    if (!h.serving || h.draining.exchange(true)) return;
    h.world.draining = true;
    h.network->stop_accepting();
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
    auto& h = *house_;
    if (!h.serving.exchange(false)) return;
    if (h.http) h.http->stop();
    for (auto& s : h.shards) s->stop();
    for (auto& t : h.threads) t.join();
    h.threads.clear();
    if (h.logins) h.logins->stop();
    if (h.plugins) h.plugins->stop();
    if (h.copies) h.copies->stop();
    h.store->stop();
    h.network.reset();
    if (h.lock_fd >= 0) ::close(h.lock_fd);
    h.lock_fd = -1;
    log::info("broker", {}, "stopped");
}

}
