// The running host: posting, calls, watching. Logins are in logins.cpp, start-up in plugin_host_start.cpp.
#include "broker/host/plugin_host.hpp"

#include "broker/host/lane_step.hpp"

#include <algorithm>

namespace airmail::host {

interest plugin_host::topics(std::string_view topic) const {
    interest out;
    topics_.match(topic, [&](std::uint32_t n) {
        out.consumers |= interests_[n].consumers, out.durable |= interests_[n].durable, out.loose |= interests_[n].loose;
    });
    out.loose &= ~out.durable;    // a lane with both kinds of filter on one topic gets it once, from the log
    return out;
}

bool plugin_host::is_ready_topic(std::string_view identity, std::string_view filter) const {
    return std::any_of(session_plugins_.begin(), session_plugins_.end(), [&](auto* i) { return ready_topic_of(*i, identity) == filter; });
}

void plugin_host::post(storage::message_ptr const& m, std::uint32_t lanes) {
    for (std::size_t i = 0; lanes != 0 && i < lanes_.size(); ++i, lanes >>= 1)
        if (lanes & 1) lanes_[i]->offer(m);
}

void plugin_host::post(session_event e) {
    for (auto& l : lanes_) {
        bool wanted = std::any_of(session_plugins_.begin(), session_plugins_.end(), [&](auto* i) {
            return i->home == l.get() && (e.topic.empty() || ready_topic_of(*i, e.identity) == e.topic);
        });
        if (!wanted) continue;
        auto post = std::make_unique<event>(e);
        l->offer(post);
    }
}

void plugin_host::call(std::string_view name, std::string params, caller who, method_done done) {
    auto const* m = env_.methods.find(name);
    if (!m) return done(404, R"({"code":"host.no_such_method"})");
    call(*m, std::move(params), std::move(who), std::move(done));
}

void plugin_host::call(method const& m, std::string params, caller who, method_done done) {
    if (role_rank(who.role) < role_rank(m.what.role))
        return done(403, R"({"code":"host.forbidden","detail":"needs role )" + m.what.role + "\"}");
    if (!running_) return done(503, R"({"code":"host.stopping"})");
    auto e = std::make_unique<event>(call_event{&m, std::move(params), std::move(who), std::move(done)});
    if (!m.who->home->offer(e)) std::get<call_event>(*e).done(503, R"({"code":"host.busy"})");
}

void plugin_host::http(raw_route const& r, http_request request, http_done done) {
    auto problem = [](int status, std::string code) { return http_answer{.status = status, .content_type = "application/problem+json", .body = "{\"code\":\"" + code + "\"}"}; };
    // A route without a role is public: the plugin checks signatures or tokens by itself.
    if (!r.what.role.empty() && role_rank(request.who.role) < role_rank(r.what.role)) return done(problem(403, "host.forbidden"));
    if (!running_) return done(problem(503, "host.stopping"));
    auto e = std::make_unique<event>(http_event{&r, std::move(request), std::move(done)});
    if (!r.who->home->offer(e)) std::get<http_event>(*e).done(problem(503, "host.busy"));
}

void plugin_host::delivered(storage::message_ptr const& m, std::string_view identity) {
    if (!running_) return;
    for (auto* i : delivery_plugins_) {
        if (i->id != m->identity()) continue;
        auto e = std::make_unique<event>(delivery_event{i, std::string{identity}, m});
        i->home->offer(e);
        return;
    }
}

std::string plugin_host::trouble() const {
    for (auto& l : lanes_)
        if (auto why = l->trouble(); !why.empty()) return why;
    return {};
}

lane const* plugin_host::find_lane(std::string_view name) const {
    for (auto& l : lanes_)
        if (l->name() == name) return l.get();
    return nullptr;
}

std::size_t plugin_host::pump() {
    std::size_t batches = 0;
    for (bool more = true; more;) {
        more = false;
        for (auto& l : lanes_)
            if (l->step()) more = true, ++batches;
    }
    return batches;
}

void plugin_host::nudge() {
    for (auto& l : lanes_) l->nudge();
}

void plugin_host::watch() {
    std::vector<std::shared_ptr<login>> late;
    {
        std::lock_guard lock{logins_mutex_};
        auto now = steady_ms();
        std::erase_if(logins_, [&](auto& l) {
            if (!l->answered.load() && l->deadline_ms <= now) late.push_back(l);
            return l->answered.load() || l->deadline_ms <= now;
        });
    }
    for (auto& l : late) {
        env_.out.log(sdk::level::warn, "host", "login of " + (l->identity.empty() ? l->user : l->identity) + " refused: no plugin answered in time", {});
        l->answer(sdk::verdict::refuse, {});      // closed, not open
    }
    std::lock_guard lock{said_mutex_};
    auto now = trouble();
    auto key = now.substr(0, now.find(" for "));  // the seconds change, the trouble is the same
    if (!now.empty() && key != said_) env_.out.log(sdk::level::error, "host", now, {});
    said_ = key;
}

void plugin_host::watchdog() {
    std::unique_lock lock{watch_mutex_};
    while (!watch_stop_) {
        watch_wake_.wait_for(lock, std::chrono::milliseconds{100});
        lock.unlock(), watch(), lock.lock();
    }
}

void plugin_host::stop() {
    if (!std::exchange(running_, false)) return;
    if (!env_.options.threads) {
        for (auto at = lanes_.rbegin(); at != lanes_.rend(); ++at) (*at)->finish();
        return;
    }
    {
        std::lock_guard lock{watch_mutex_};
        watch_stop_ = true;
    }
    watch_wake_.notify_all();
    if (watch_thread_.joinable()) watch_thread_.join();
    for (auto& l : lanes_) l->ask_to_stop();
    auto until = steady_ms() + env_.options.stop_timeout.count();
    for (std::size_t i = 0; i < threads_.size(); ++i) {
        while (!ended_[i]->load() && steady_ms() < until) std::this_thread::sleep_for(std::chrono::milliseconds{1});
        if (ended_[i]->load()) {
            threads_[i].join();
            continue;
        }
        // It may be inside a hook for ever: it keeps its lane, the process ends without it.
        env_.out.log(sdk::level::error, "host", "lane " + lanes_[i]->name() + " does not end; left behind", {});
        threads_[i].detach();
        lanes_[i].release();
    }
    threads_.clear();
    std::erase(lanes_, nullptr);
}

plugin_host::~plugin_host() { stop(); }

}
