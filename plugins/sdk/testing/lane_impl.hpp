#pragma once
// Bodies of testing/lane.hpp, for those who run a bench (testing.hpp includes both).

#include "plugins/sdk/testing/lane.hpp"

#include <cerrno>
#include <tuple>
#include <utility>

namespace airmail::sdk::testing {

using detail::str;
using detail::view;

inline void lane::add(airmail_plugin_v1_t const* table, declaration what) {
    auto s = std::make_unique<seat>();
    s->owner = this, s->id = std::string{view(table->id)}, s->table = table, s->what = std::move(what);
    fill_host(*s);
    seats_.push_back(std::move(s));
}

inline void lane::fill_host(seat& s) {
    auto& h = s.host;
    h.size = sizeof h, h.version = AIRMAIL_ABI_VERSION, h.self = &s;
    h.now_ms = [](void* p) { return static_cast<seat*>(p)->owner->now_; };
    h.wall_ms = [](void* p) { return static_cast<seat*>(p)->owner->wall_; };
    h.log = [](void* p, airmail_level l, airmail_str text, airmail_str fields) {
        auto& me = *static_cast<seat*>(p);
        me.owner->logs_.push_back({static_cast<level>(l), me.id, std::string{view(text)}, std::string{view(fields)}});
    };
    h.option = [](void* p, airmail_str key) -> airmail_str {
        auto& me = *static_cast<seat*>(p);
        auto at = me.owner->options_.find(std::string{view(key)});
        if (at == me.owner->options_.end()) return {nullptr, 0};
        return me.text = at->second, str(me.text);
    };
    h.publish = [](void* p, airmail_publish const* m) { return static_cast<seat*>(p)->owner->publish(*static_cast<seat*>(p), *m); };
    h.sql = [](void* p, airmail_str text, airmail_value const* params, std::size_t count, airmail_row_fn row, void* user) {
        auto& me = *static_cast<seat*>(p);
        if (me.owner->full_) return me.last_error = "sqlite: database or disk is full", SQLITE_FULL;
        me.owner->begin(), me.last_error.clear();
        return me.owner->db_.exec(view(text), params, count, row, user, me.last_error);
    };
    h.sql_changes = [](void* p) { return static_cast<seat*>(p)->owner->db_.changes(); };
    h.timer = [](void* p, std::uint64_t id, std::int64_t due) {
        auto& me = *static_cast<seat*>(p);
        return me.owner->effects_.push_back([&me, id, due] { me.owner->set_timer(me, id, due); }), 0;
    };
    h.call = [](void* p, airmail_str method, airmail_str params, airmail_reply_fn done, void* user) {
        auto& me = *static_cast<seat*>(p);
        return me.owner->call(me, view(method), view(params), done, user);
    };
    h.reply_method = [](void* p, std::uint64_t handle, std::uint32_t status, airmail_str json) {
        auto& me = *static_cast<seat*>(p);
        auto node = me.owner->methods_.extract(handle);
        if (node.empty()) return me.last_error = "reply: unknown or answered handle", EINVAL;
        node.mapped()(static_cast<int>(status), view(json));
        return 0;
    };
    h.reply_http = [](void* p, std::uint64_t handle, airmail_http_reply const* r) {
        auto& me = *static_cast<seat*>(p);
        auto text = [](airmail_str x) { return std::string{view(x)}; };
        response out{static_cast<int>(r->status), text(r->content_type), text(r->headers), text(r->body), text(r->file_path),
                     text(r->etag), text(r->revoke_token), r->rate_bytes_s, r->byte_budget, r->file_bytes};
        me.owner->effects_.push_back([&me, handle, out] { me.owner->https_[handle] = out; });
        return 0;
    };
    h.revoke = [](void* p, airmail_str token) {
        auto* o = static_cast<seat*>(p)->owner;
        return o->effects_.push_back([o, t = std::string{view(token)}] { o->revoked_.push_back(t); }), 0;
    };
    h.disconnect = [](void* p, airmail_str identity, std::uint32_t reason) {
        auto* o = static_cast<seat*>(p)->owner;
        cut_off c{std::string{view(identity)}, static_cast<int>(reason)};
        return o->effects_.push_back([o, c] { o->disconnected_.push_back(c); }), 0;
    };
    h.state_put = [](void* p, std::uint64_t key, airmail_str value) {
        auto& me = *static_cast<seat*>(p);
        return me.owner->effects_.push_back([&me, key, v = std::string{view(value)}] { me.state[key] = v; }), 0;
    };
    h.state_scan = [](void* p, int (*f)(void*, std::uint64_t, airmail_str), void* user) {
        for (auto const& [key, value] : static_cast<seat*>(p)->state)
            if (f(user, key, str(value)) != 0) break;
        return 0;
    };
    h.metric = [](void* p, airmail_str name, airmail_str labels) {
        auto* o = static_cast<seat*>(p)->owner;
        std::uint64_t id = o->metric_names_.size() + 1;
        std::string full{view(name)};
        if (labels.len) (full += ' ') += view(labels);
        return o->metric_names_[id] = full, id;
    };
    h.metric_add = [](void* p, std::uint64_t id, double x) { auto* o = static_cast<seat*>(p)->owner; o->metrics_[o->metric_names_[id]] += x; };
    h.metric_set = [](void* p, std::uint64_t id, double x) { auto* o = static_cast<seat*>(p)->owner; o->metrics_[o->metric_names_[id]] = x; };
    h.connect_answer = [](void* p, std::uint64_t handle, airmail_verdict v, airmail_str role) {
        static_cast<seat*>(p)->owner->connects_[handle] = {static_cast<verdict>(v), std::string{view(role)}};
        return 0;
    };
    h.last_error = [](void* p) { return str(static_cast<seat*>(p)->last_error); };
    h.fail = [](void* p, airmail_str why) {
        auto& me = *static_cast<seat*>(p);
        me.owner->failed_ = true, me.owner->why_ = std::string{view(why)};
        me.owner->logs_.push_back({level::error, me.id, me.owner->why_, {}});
        return 0;
    };
}

inline std::vector<lane::seat*> lane::in_order() {
    std::vector<seat*> out;
    std::function<void(seat*, int)> visit = [&](seat* s, int depth) {
        if (depth > 64) throw error("testing: `after` goes in a circle at " + s->id);
        if (std::find(out.begin(), out.end(), s) != out.end()) return;
        for (auto const& before : s->what.after)
            for (auto& other : seats_)
                if (other->id == before) visit(other.get(), depth + 1);
        out.push_back(s);
    };
    for (auto& s : seats_) visit(s.get(), 0);
    return out;
}

inline void lane::migrate(seat const& s) {
    db_.run("CREATE TABLE IF NOT EXISTS airmail_migrations(plugin TEXT, n INTEGER, PRIMARY KEY(plugin, n))");
    std::int64_t n = 0;
    for (auto const& table : s.what.tables)
        for (auto const& sql : table.migrations) {
            if (!db_.rows("SELECT 1 FROM airmail_migrations WHERE plugin = ? AND n = ?", {s.id, ++n}).empty()) continue;
            db_.run(sql);
            db_.rows("INSERT INTO airmail_migrations VALUES(?, ?)", {s.id, n});
        }
}

inline void lane::start() {
    auto order = in_order();
    auto refuse = [&](seat& s, char const* step) {
        std::string why = why_;
        roll_back();
        throw error("testing: " + s.id + " refuses to " + step + ": " + why);
    };
    for (auto* s : order) {
        failed_ = false, why_ = "no reason given";
        if (!(s->body = s->table->create(&s->host))) refuse(*s, "be created");
        if (s->table->configure && s->table->configure(s->body) != 0) refuse(*s, "be configured");
        migrate(*s);
    }
    for (auto* s : order)
        if (s->table->start && s->table->start(s->body) != 0) refuse(*s, "start");
    commit();
}

inline bool lane::step(seat& s, std::string_view kind, std::string_view topic, std::string_view payload, std::uint64_t lsn,
                       std::function<bool()> const& hook) {
    begin();
    std::string mark = "step" + std::to_string(depth_++);
    std::size_t effects = effects_.size(), asked = asked_.size();
    db_.run("SAVEPOINT " + mark);
    bool outer = std::exchange(failed_, false);
    bool ok = hook() && !failed_;
    if (!ok) {
        if (!failed_) why_ = "the hook answered FAIL";
        db_.run("ROLLBACK TO " + mark);
        effects_.resize(effects);
        for (; asked_.size() > asked; asked_.pop_back()) asked_.back().first(asked_.back().second, 0, {nullptr, 0});
        dead_.push_back({s.id, std::string{kind}, std::string{topic}, why_, std::string{payload}, lsn});
    }
    db_.run("RELEASE " + mark);
    failed_ = outer, --depth_;
    return ok;
}

inline void lane::commit(bool effects) {
    if (in_transaction_) db_.run("COMMIT"), in_transaction_ = false;
    asked_.clear();
    auto leaving = std::exchange(effects_, {});
    if (!effects) return;
    for (auto const& e : leaving) e();
    for (auto& s : seats_)
        if (s->body && s->table->on_committed) s->table->on_committed(s->body);
    if (in_transaction_ || !effects_.empty()) commit();    // on_committed may write: that is a batch of its own
}

inline void lane::roll_back() {
    if (in_transaction_) db_.run("ROLLBACK"), in_transaction_ = false;
    effects_.clear();
    for (auto [done, user] : std::exchange(asked_, {})) done(user, 0, {nullptr, 0});
}

inline void lane::destroy_all() {
    roll_back();
    methods_.clear(), timers_.clear();
    for (auto at = seats_.rbegin(); at != seats_.rend(); ++at)
        if (auto* body = std::exchange((*at)->body, nullptr)) (*at)->table->destroy(body);
}

inline int lane::publish(seat& s, airmail_publish const& p) {
    auto text = [](airmail_str x) { return std::string{view(x)}; };
    if (p.topic.len == 0 || view(p.topic).find_first_of("+#") != std::string_view::npos)
        return s.last_error = "publish: not a topic name: \"" + text(p.topic) + "\"", EINVAL;
    sent m{s.id, text(p.topic), text(p.payload), text(p.content_type), text(p.response_topic), text(p.correlation_data),
           text(p.traceparent), p.expiry_s, p.qos, p.retain != 0};
    effects_.push_back([this, m = std::move(m)] { published_.push_back(m); });
    return 0;
}

inline bool lane::dispatch(std::string_view method, std::string_view params, caller const& who,
                           std::function<void(int, std::string_view)> done) {
    if (auto at = stubs_.find(std::string{method}); at != stubs_.end()) {
        auto a = at->second(params);
        return done(a.status, a.json), true;
    }
    for (auto& s : seats_)
        for (auto const& m : s->what.methods) {
            if (m.name != method) continue;
            // An answer given inside the hook waits until the hook is known to have succeeded.
            struct pending { bool inside = true; std::optional<answer> given; };
            auto p = std::make_shared<pending>();
            auto handle_of = handle([p, done](int status, std::string_view json) {
                if (p->inside) p->given = answer{status, std::string{json}};
                else done(status, json);
            });
            airmail_call c{};
            c.size = sizeof c, c.version = AIRMAIL_ABI_VERSION, c.method = str(method), c.params = str(params), c.reply = handle_of;
            c.caller = str(who.name), c.role = str(who.role), c.request_id = str(who.request_id), c.traceparent = str(who.traceparent);
            bool ok = step(*s, "method", method, params, 0, [&] { return s->table->on_method(s->body, &c), true; });
            p->inside = false;
            if (!ok) methods_.erase(handle_of), done(500, R"({"code":"host.plugin_failed"})");
            else if (p->given) done(p->given->status, p->given->json);
            return true;
        }
    return false;
}

inline int lane::call(seat& s, std::string_view method, std::string_view params, airmail_reply_fn done, void* user) {
    if (depth_ > 8) return s.last_error = "call: nested deeper than 8", ELOOP;
    std::pair<airmail_reply_fn, void*> key{done, user};
    asked_.push_back(key);
    bool known = dispatch(method, params, {s.id, "admin", "call", {}}, [this, key](int status, std::string_view json) {
        std::erase(asked_, key);
        key.first(key.second, static_cast<std::uint32_t>(status), str(json));
    });
    if (known) return 0;
    std::erase(asked_, key);
    return s.last_error = "call: nobody declares \"" + std::string{method} + "\" (bench.stub makes one)", ENOENT;
}

inline void lane::fire_due() {
    for (;;) {
        auto at = std::min_element(timers_.begin(), timers_.end());
        if (at == timers_.end() || at->due > now_) return;
        auto t = *at;
        timers_.erase(at);
        if (!t.who->table->on_timer) continue;
        step(*t.who, "timer", std::to_string(t.id), {}, 0, [&] { return t.who->table->on_timer(t.who->body, t.id, now_), true; });
        commit();
    }
}

}
