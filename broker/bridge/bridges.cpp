#include "broker/bridge/bridges.hpp"

#include "broker/bridge/link.hpp"
#include "broker/config/limits.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <future>
#include <thread>

namespace airmail::bridge {

std::shared_ptr<handlers::listener_rules const> rules_of(config::config const& c) {
    handlers::listener_rules r;
    r.name = "bridge";
    r.device = false, r.allow_anonymous = true, r.asks_passwords = false;
    r.username_is_identity = true;   // the local name is in our own configuration
    r.keep_alive_max = 0;
    r.receive_maximum_in = 0;        // the other broker's window counts
    r.topic_bytes_max = 65535, r.topic_levels_max = 200, r.filters_max = 0;
    r.packet_bytes_max = r.packet_bytes_max_before_login = 268'435'460;
    r.user_properties_max = 0, r.user_property_bytes_max = 0;
    r.session_expiry_max = 0xFFFFFFFF;
    r.will_payload_max = 0, r.retained_payload_max = 0, r.retained_per_identity_max = 0;
    r.publish_rate = r.publish_burst = r.publish_bytes_s = 0;
    r.queue_messages_max = static_cast<std::uint32_t>(c.number("bridge_queue_messages"));
    r.queue_bytes_max = static_cast<std::uint32_t>(std::min<std::uint64_t>(c.size("bridge_queue_size"), UINT32_MAX));
    r.durable = c.text("store_durability") != "memory" && (!c.written("persistence") || c.flag("persistence"));
    return std::make_shared<handlers::listener_rules const>(std::move(r));
}

bridges::bridges(handlers::world& w, std::shared_ptr<handlers::listener_rules const> rules) : world_{w}, rules_{std::move(rules)} {}

bridges::~bridges() = default;

std::vector<std::string> bridges::apply(config::config const& c) {
    std::vector<std::string> said;
    auto const key = [](config::bridge const& b) { return std::pair{local_id_of(b), b.local_user}; };
    auto const wanted = [&](link const& l) -> config::bridge const* {
        for (auto const& b : c.bridges())
            if (b.name == l.configured().name && key(b) == key(l.configured())) return &b;
        return nullptr;
    };
    std::erase_if(links_, [&](std::shared_ptr<link> const& l) {
        if (wanted(*l)) return false;
        said.push_back("bridge " + l->configured().name + " ends: it is configured no more");
        l->home().on().post_external([l] { l->stop(true); });
        return true;
    });
    for (auto& l : links_) {
        auto const& b = *wanted(*l);
        if (b.written == l->configured().written) continue;
        said.push_back(fmt::format("bridge {} has changed: {}", b.name, b.reload_immediate ? "it connects again" : "from its next connection on"));
        l->configure(b);
        l->home().on().post_external([l, b] { l->change(b); });
    }
    for (auto const& b : c.bridges()) {
        if (std::any_of(links_.begin(), links_.end(), [&](auto const& l) { return l->configured().name == b.name; })) continue;
        std::string const user = b.local_user, id = local_id_of(b);
        auto& home = *world_.shards[handlers::hash({0, user, id}) % world_.shards.size()];
        auto made = std::make_shared<link>(world_, home, b, rules_);
        links_.push_back(made);
        said.push_back("bridge " + b.name + " starts");
        home.on().post_external([made] { made->start(); });
    }
    return said;
}

bool bridges::wait_heard(std::chrono::milliseconds most) const {
    auto const until = std::chrono::steady_clock::now() + most;
    for (auto const& l : links_)
        while (!l->heard()) {
            if (std::chrono::steady_clock::now() >= until) return false;
            std::this_thread::sleep_for(std::chrono::milliseconds(1));   // start-up only: one commit of the store
        }
    return true;
}

void bridges::stop() {
    std::vector<std::future<void>> over;
    for (auto& l : links_) {
        auto done = std::make_shared<std::promise<void>>();
        over.push_back(done->get_future());
        l->home().on().post_external([l, done] {
            l->stop(false);
            done->set_value();
        });
    }
    for (auto& f : over) f.wait_for(std::chrono::seconds(2));
    links_.clear();
}

}
