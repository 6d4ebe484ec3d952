// Logins that plugins decide: one after another until one does not say ok. Each is asked on its lane, with a time limit; a plugin
// that the operator trusts to be quick (plugin_inline true) at once, on the shard that reads the CONNECT, while it is next in order.
#include "broker/host/plugin_host.hpp"

namespace airmail::host {

namespace {

airmail_str str(std::string_view s) { return {s.data(), s.size()}; }

constexpr std::size_t open_max = 4096;

}

void plugin_host::connect(std::string identity, std::string user, std::string password, std::string peer,
                          std::function<void(sdk::verdict, std::string)> done) {
    if (login_plugins_.empty()) return done(sdk::verdict::ok, {});
    if (!running_) return done(sdk::verdict::refuse, {});
    auto l = std::make_shared<login>();
    l->identity = std::move(identity), l->user = std::move(user), l->password = std::move(password), l->peer = std::move(peer);
    l->done = std::move(done), l->deadline_ms = steady_ms() + env_.options.connect_timeout.count();
    l->remaining.assign(login_plugins_.rbegin(), login_plugins_.rend());
    ask_inline(*l);
    if (l->answered.load()) return;
    {
        // Held for a push_back by whoever logs in, for a sweep by the watchdog; nowhere else.
        std::lock_guard lock{logins_mutex_};
        if (logins_.size() >= open_max) return l->answer(sdk::verdict::refuse, {});
        logins_.push_back(l);
    }
    auto* first = l->remaining.back();
    l->remaining.pop_back();
    auto e = std::make_unique<event>(connect_event{l, first});
    if (!first->home->offer(e)) l->answer(sdk::verdict::refuse, {});
}

/// Answers, or leaves in `remaining` those to be asked on their lanes.
void plugin_host::ask_inline(login& l) {
    while (!l.remaining.empty() && l.remaining.back()->inline_logins) {
        auto& i = *l.remaining.back();
        auto const began = steady_ms();
        auto const said = i.table->on_connect(i.body, str(l.identity), str(l.user), str(l.password), str(l.peer), 0);
        i.home->answered_inline(i, steady_ms() - began);
        if (said == AIRMAIL_DEFER) return;   // it is asked again, where it may take its time
        l.remaining.pop_back();
        // A plugin that fails decides nothing in favour of anyone.
        if (said != AIRMAIL_OK) return l.answer(sdk::verdict::refuse, {});
    }
    if (l.remaining.empty()) l.answer(sdk::verdict::ok, {});
}

}
