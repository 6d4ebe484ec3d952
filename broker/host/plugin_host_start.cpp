// Start-up of the host: from tables and files to running lanes. Every refusal is one sentence.
#include "broker/host/plugin_host.hpp"

#include "broker/host/declaration.hpp"

#include <algorithm>
#include <functional>

namespace airmail::host {

namespace {

std::string describe(grant const& g) { return std::string{g.publish ? "publish " : "subscribe "} + g.filter; }

}

plugin_host::plugin_host(host_options options, outlet& out, storage::store* store)
    : env_{std::move(options), out, store, {}} {}

void plugin_host::add(airmail_plugin_v1_t const* table) {
    check_table(table, "built-in plugin");
    take(table, "built-in", true);
}

void plugin_host::add_file(std::string const& path, bool inline_logins) {
    take(load(path), path, false);
    auto& i = *waiting_.back();
    i.inline_logins = inline_logins;
    if (inline_logins && !i.table->on_connect) env_.out.log(sdk::level::warn, i.id, "plugin_inline has no effect: it does not decide logins", {});
}

void plugin_host::take(airmail_plugin_v1_t const* table, std::string where, bool built_in) {
    std::string id{table->id.ptr, table->id.len};
    for (auto const& other : waiting_)
        if (other->id == id)
            throw refusal(errc::duplicate, where + ": plugin " + id + " is already loaded from " + other->where);
    auto json = table->declare();
    auto what = parse_declaration(id, {json.ptr ? json.ptr : "", json.ptr ? json.len : 0});
    for (auto const& t : what.tables)
        for (auto const& other : waiting_)
            for (auto const& theirs : other->what.tables)
                if (theirs.name == t.name) throw refusal(errc::duplicate, id + ": table " + t.name + " belongs to " + other->id);
    waiting_.push_back(std::make_unique<instance>(table, std::move(what), std::move(where), built_in));
}

std::vector<instance*> plugin_host::in_order() {
    std::vector<instance*> out;
    std::vector<instance*> open;
    std::function<void(instance*)> visit = [&](instance* i) {
        if (std::find(out.begin(), out.end(), i) != out.end()) return;
        if (std::find(open.begin(), open.end(), i) != open.end())
            throw refusal(errc::order, i->id + ": `after` goes in a circle through " + open.back()->id);
        open.push_back(i);
        for (auto const& name : i->what.after) {
            auto at = std::find_if(waiting_.begin(), waiting_.end(), [&](auto& w) { return w->id == name; });
            if (at == waiting_.end()) throw refusal(errc::order, i->id + ": must start after " + name + ", which is not loaded");
            visit(at->get());
        }
        open.pop_back();
        out.push_back(i);
    };
    for (auto& i : waiting_) visit(i.get());
    return out;
}

void plugin_host::register_methods(instance& i) {
    for (auto const& m : i.what.methods)
        if (!env_.methods.add(method{m, &i}))
            throw refusal(errc::duplicate, i.id + ": method " + m.name + " (" + m.verb + " " + m.path + ") is declared twice or by another plugin");
    for (auto const& r : i.what.routes)
        if (!env_.methods.add(raw_route{r, &i})) throw refusal(errc::duplicate, i.id + ": route " + r.verb + " " + r.path + " is declared twice or by another plugin");
}

void plugin_host::register_grants(instance& i) {
    for (auto const& t : i.what.topics) {
        grant g{i.id, t.role, t.filter, t.dir == sdk::direction::up, false};
        bool known = std::any_of(grants_.begin(), grants_.end(), [&](grant const& o) {
            return o.plugin == g.plugin && o.role == g.role && o.filter == g.filter && o.publish == g.publish;
        });
        if (!known) grants_.push_back(std::move(g));
    }
}

void plugin_host::apply_refusals() {
    auto const from = [this](grant const& g) { return (*std::find_if(order_.begin(), order_.end(), [&](auto* i) { return i->id == g.plugin; }))->where; };
    for (auto const& refused : env_.options.refused_grants) {
        bool found = false;
        for (auto& g : grants_)
            if (refused == describe(g) || refused == g.plugin + " " + describe(g) || refused == from(g) + " " + describe(g)) g.refused = found = true;
        if (found) continue;
        std::string have;
        for (auto const& g : grants_) have += "\n  " + g.plugin + " " + describe(g);
        throw refusal(errc::grant, "refused grant \"" + refused + "\" is none that a plugin asks for; they are:" + (have.empty() ? " none" : have));
    }
    for (auto const& g : grants_)
        env_.out.log(g.refused ? sdk::level::warn : sdk::level::info, g.plugin,
                     std::string{g.refused ? "grant refused by configuration: " : "grant: "} + g.role + " may " + describe(g), {});
}

void plugin_host::register_topics() {
    for (std::size_t n = 0; n < lanes_.size(); ++n)
        for (auto& i : lanes_[n]->seats())
            for (auto const& t : i->what.topics) {
                if (t.dir != sdk::direction::up || !i->table->on_message) continue;
                auto bit = std::uint32_t{1} << n;
                topics_.add(t.filter, static_cast<std::uint32_t>(interests_.size()));
                interests_.push_back(t.durable && env_.store ? interest{0, bit, 0} : interest{0, 0, bit});
            }
}

void plugin_host::follow_store() {
    for (std::size_t n = 0; n < lanes_.size(); ++n) {
        auto bit = std::uint32_t{1} << n;
        if (std::none_of(interests_.begin(), interests_.end(), [&](auto& x) { return x.durable & bit; })) continue;
        auto consumer = env_.store->add_consumer(*lanes_[n]);
        lanes_[n]->follow(consumer);
        for (auto& x : interests_)
            if (x.durable & bit) x.consumers |= std::uint32_t{1} << consumer;
    }
}

void plugin_host::prepare() {
    order_ = in_order();
    auto seat = [&](std::string name, bool shared, auto&& wanted) {
        auto l = std::make_unique<lane>(std::move(name), shared, env_);
        for (auto& w : waiting_)
            if (w && wanted(*w)) l->seat(std::move(w));
        if (l->seats().empty()) return;
        if (lanes_.size() >= 32) throw refusal(errc::order, "more than 31 shared objects are loaded: that is the bound");
        lanes_.push_back(std::move(l));
    };
    seat("registry", true, [](instance const& i) { return i.built_in; });
    for (auto* i : order_)
        if (!i->built_in) seat(i->id, false, [&](instance const& w) { return &w == i; });
    waiting_.clear();
    try {
        for (auto& l : lanes_) l->open();
    } catch (storage::sqlite::error const& e) { throw refusal(errc::database, e.what()); }
    for (auto* i : order_) {
        register_methods(*i), register_grants(*i);
        i->home->create(*i);
        i->home->migrate(*i);
        if (i->table->on_connect) login_plugins_.push_back(i);
        if (i->on_delivered) delivery_plugins_.push_back(i);
        if (i->table->on_session && !i->what.ready_topic.empty()) session_plugins_.push_back(i);
    }
    apply_refusals();
    register_topics();
    if (env_.store) follow_store();
    count_probes();
    prepared_ = true;
}

void plugin_host::start() {
    for (auto* i : order_) i->home->start(*i);
    running_ = true;
    if (!env_.options.threads) return;
    for (auto& l : lanes_) {
        auto ended = ended_.emplace_back(std::make_shared<std::atomic<bool>>(false));
        threads_.emplace_back([lane = l.get(), ended] {
            pthread_setname_np(pthread_self(), ("lane-" + lane->name()).substr(0, 15).c_str());
            lane->run(), ended->store(true);
        });
    }
    watch_thread_ = std::thread{[this] { watchdog(); }};
}

void plugin_host::count_probes() {
    struct row {
        char const *name, *help;
        std::atomic<std::uint64_t> lane_counters::*cell;
    };
    static constexpr row rows[] = {
        {"airmail_host_messages_total", "Messages given to a lane's plugins.", &lane_counters::messages},
        {"airmail_host_events_total", "Session events, calls, requests and timers given to a lane.", &lane_counters::events},
        {"airmail_host_batches_total", "Batches run.", &lane_counters::batches},
        {"airmail_host_commits_total", "SQLite transactions committed by a lane.", &lane_counters::commits},
        {"airmail_host_commit_failures_total", "Batches rolled back and run again because they could not commit.", &lane_counters::commit_failures},
        {"airmail_host_dead_letters_total", "Items that a plugin failed on and that were set aside.", &lane_counters::dead_letters},
        {"airmail_host_schema_violations_total", "Payloads dropped because they break the topic's schema.", &lane_counters::schema_violations},
        {"airmail_host_refused_total", "Messages a plugin answered REFUSE to.", &lane_counters::refused},
        {"airmail_host_loose_dropped_total", "Undurable messages dropped because the lane was full.", &lane_counters::loose_dropped},
        {"airmail_host_latest_replaced_total", "Undurable messages replaced by a later one of their topic in a full lane.", &lane_counters::latest_replaced},
        {"airmail_host_spilled_total", "Durable messages left in the log because the lane was full; read back later.", &lane_counters::spilled},
        {"airmail_host_session_events_dropped_total", "Session events lost because the lane was full.", &lane_counters::session_events_dropped},
        {"airmail_host_deliveries_dropped_total", "Acknowledgements not told to a plugin because its lane was full.", &lane_counters::deliveries_dropped},
        {"airmail_host_busy_answers_total", "Calls and requests answered 503 because the lane was full.", &lane_counters::busy_answers},
        {"airmail_host_replay_skipped_total", "Messages of the log met twice and skipped.", &lane_counters::replay_skipped},
        {"airmail_host_slow_hooks_total", "Hooks that took longer than 50 ms.", &lane_counters::slow_hooks},
        {"airmail_host_inline_logins_total", "Logins a plugin was asked about on the shard itself (plugin_inline true).", &lane_counters::inline_logins},
        {"airmail_host_calls_timed_out_total", "Calls and requests a plugin did not answer in time.", &lane_counters::calls_timed_out},
    };
    for (auto& l : lanes_) {
        auto* c = &l->counters();
        for (auto const& r : rows)
            probes_.emplace_back(metrics::kind::counter, r.name, r.help,
                                 [c, cell = r.cell] { return static_cast<double>((c->*cell).load(std::memory_order_relaxed)); },
                                 metrics::labels{{"lane", l->name()}});
        probes_.emplace_back(metrics::kind::gauge, "airmail_host_queued_items", "Items waiting in a lane's rings.",
                             [p = l.get()] { return static_cast<double>(p->queued()); }, metrics::labels{{"lane", l->name()}});
    }
}

}
