#pragma once
// A pretend broker in one header: your plugin (or several that call one another), a real SQLite in memory, a clock you move.
//
//     sdk::testing::bench<my_plugin> b{{{"greeting", "hello"}}};       // options: plugin_opt_*
//     b.message({.topic = "rooms/kitchen/temperature", .payload = "21.5"});
//     CHECK(b.value("SELECT count(*) FROM readings") == 1);
//     b.advance(60'000);                                               // timers fire in order
//     CHECK(b.take_published().at(0).topic == "rooms/average");
//
// Needs SQLite 3 (link SQLite::SQLite3 or airmail::sdk_testing). One thread; nothing sleeps.

#include "plugins/sdk/plugin.hpp"
#include "plugins/sdk/testing/lane.hpp"
#include "plugins/sdk/testing/lane_impl.hpp"

namespace airmail::sdk::testing {

template <class... Plugins>
class bench {
public:
    /// Starts all plugins in the order of their `after`. Throws sdk::error with the words of the one that refuses.
    explicit bench(options o = {}) : lane_(std::move(o)) {
        (lane_.add(make_descriptor<Plugins>(), Plugins::declare()), ...);
        lane_.start();
    }

    /// The living object of one class. Changes at restart() and crash().
    template <class P>
    P& plugin() {
        for (auto& s : lane_.seats_)
            if (s->table == make_descriptor<P>()) return static_cast<typename detail::adapter<P>::body*>(s->body)->plugin;
        throw error("testing: no such plugin in this bench");
    }

    // What happens to the plugins.

    /// One message, committed by itself. Answers the worst verdict of those whose topic matches; fail = set aside.
    verdict message(incoming m) {
        auto v = take(m);
        if (!holding_) finish();
        return v;
    }
    /// Several messages in one transaction, like a lane under load.
    void messages(std::vector<incoming> all) {
        for (auto& m : all) take(m);
        if (!holding_) finish();
    }
    /// The session subscribed to the plugin's ready topic is there. Answers the connection's number.
    std::uint64_t session_ready(std::string_view identity, std::string_view client_id = {}) {
        session(session_change::ready, identity, client_id, ++lane_.last_connection_, {});
        return lane_.last_connection_;
    }
    void session_gone(std::string_view identity, session_change how = session_change::gone_clean, std::string_view note = {},
                      std::uint64_t connection = 0) {
        session(how, identity, {}, connection ? connection : lane_.last_connection_, note);
    }
    void session(session_change c, std::string_view identity, std::string_view client_id, std::uint64_t connection, std::string_view note) {
        for (auto& s : lane_.seats_) {
            if (s->what.ready_topic.empty() || !s->table->on_session) continue;
            auto topic = fill_id(s->what.ready_topic, identity);
            airmail_session e{};
            e.size = sizeof e, e.version = AIRMAIL_ABI_VERSION, e.event = static_cast<airmail_session_event>(c);
            e.identity = str(identity), e.client_id = str(client_id.empty() ? identity : client_id), e.topic = str(topic);
            e.note = str(note), e.connection = connection, e.at_ms = lane_.now_;
            lane_.step(*s, "session", topic, identity, 0, [&] { return s->table->on_session(s->body, &e), true; });
        }
        if (!holding_) finish();
    }
    /// `identity` acknowledges what `P` published.
    template <class P>
    void delivered(std::string_view identity, std::string_view topic, std::string_view correlation_data) {
        airmail_delivery d{};
        d.size = sizeof d, d.version = AIRMAIL_ABI_VERSION, d.identity = str(identity), d.topic = str(topic), d.correlation_data = str(correlation_data);
        for (auto& s : lane_.seats_)
            if (s->table == make_descriptor<P>() && s->table->on_delivered)
                lane_.step(*s, "delivered", topic, identity, 0, [&] { return s->table->on_delivered(s->body, &d), true; });
        if (!holding_) finish();
    }
    /// Calls a method as the table would: unknown 404, role too low 403. status 0 = the plugin has not answered.
    answer call(std::string_view method, std::string_view params = "{}", caller who = {}) {
        auto out = std::make_shared<answer>();
        if (!may(method, who.role)) return {403, R"({"code":"host.forbidden"})"};
        bool known = lane_.dispatch(method, params, who, [out](int status, std::string_view json) { *out = {status, std::string{json}}; });
        if (!holding_) finish();
        return known ? (late_.push_back(out), *out) : answer{404, R"({"code":"host.no_such_method"})"};
    }
    /// What the latest call() has been answered by now.
    answer latest() const { return late_.empty() ? answer{} : *late_.back(); }

    /// A request on a declared route (path parameters as {name}). status 404: no such route; 0: not answered yet.
    response http(request r) {
        for (auto& s : lane_.seats_)
            for (auto const& route : s->what.routes)
                if (route.verb == r.verb && path_matches(route.path, r.path)) return http(*s, r);
        return {404};
    }
    /// Asks every plugin that overrides connect; the first that does not answer ok decides.
    connect_answer connect(std::string_view identity, std::string_view user = {}, std::string_view password = {}, std::string_view peer = "127.0.0.1") {
        connect_answer out{verdict::ok, {}};
        for (auto& s : lane_.seats_) {
            if (!s->table->on_connect) continue;
            auto h = ++lane_.last_handle_;
            auto v = verdict::fail;
            lane_.step(*s, "connect", identity, {}, 0, [&] {
                v = static_cast<verdict>(s->table->on_connect(s->body, str(identity), str(user), str(password), str(peer), h));
                return v != verdict::fail;
            });
            if (!holding_) finish();
            if (auto at = lane_.connects_.find(h); at != lane_.connects_.end()) out = at->second;
            else out.what = v;
            if (out.what != verdict::ok) return out;
        }
        return out;
    }
    /// Moves both clocks, firing timers in order of their due time, each in a transaction of its own.
    void advance(instant ms) {
        auto until = lane_.now_ + ms;
        for (;;) {
            auto at = std::min_element(lane_.timers_.begin(), lane_.timers_.end());
            if (at == lane_.timers_.end() || at->due > until) break;
            move_to(std::max(at->due, lane_.now_)), lane_.fire_due();
        }
        move_to(until);
    }

    // Trouble.

    /// From here on nothing commits: what is delivered stays in one open transaction until release() or crash().
    void hold() { holding_ = true; }
    void release() { holding_ = false, finish(); }
    /// Power off: the open transaction is lost, the objects with it; new ones start on what was committed, and durable
    /// messages that had not been committed are given again, in order.
    void crash() { again(true), redeliver(); }
    /// The next commit happens, but nothing leaves: the crash between COMMIT and the first effect. Then as crash().
    void crash_after_next_commit() { stop_after_commit_ = true; }
    /// An orderly stop and a new start. Timers and open calls are gone, tables and state stay.
    void restart() { again(false); }
    /// While true every statement fails with "database or disk is full".
    void disk_full(bool yes) { lane_.full_ = yes; }
    /// Makes a method of a plugin that is not on the bench.
    void stub(std::string method, std::function<answer(std::string_view params)> f) { lane_.stubs_[std::move(method)] = std::move(f); }

    // What came of it.

    instant now() const { return lane_.now_; }
    instant wall() const { return lane_.wall_; }
    void set_wall(instant w) { lane_.wall_ = w; }
    std::vector<sent> const& published() const { return lane_.published_; }
    std::vector<sent> take_published() { return std::exchange(lane_.published_, {}); }
    std::vector<sent> published_to(std::string_view filter) const {
        std::vector<sent> out;
        for (auto const& p : lane_.published_)
            if (matches(filter, p.topic)) out.push_back(p);
        return out;
    }
    std::vector<std::string> const& revoked() const { return lane_.revoked_; }
    std::vector<cut_off> const& disconnected() const { return lane_.disconnected_; }
    std::vector<log_line> const& logs() const { return lane_.logs_; }
    bool logged(std::string_view part) const {
        return std::any_of(lane_.logs_.begin(), lane_.logs_.end(), [&](auto const& l) { return l.text.find(part) != l.text.npos; });
    }
    std::vector<dead_letter> const& dead_letters() const { return lane_.dead_; }
    double metric(std::string_view name, std::string_view labels = {}) const {
        std::string full{name};
        if (!labels.empty()) (full += ' ') += labels;
        auto at = lane_.metrics_.find(full);
        return at == lane_.metrics_.end() ? 0 : at->second;
    }
    /// When the plugin's timer will fire; nullopt = not set.
    std::optional<instant> timer_due(std::uint64_t id) const {
        for (auto const& t : lane_.timers_)
            if (t.id == id) return t.due;
        return std::nullopt;
    }
    /// Asks the database behind the plugins' backs (setting rows up, looking at them).
    std::vector<sql_row> rows(std::string_view sql, std::vector<sql_value> const& params = {}) { return lane_.db_.rows(sql, params); }
    /// First column of the first row as a number; 0 when there is none.
    std::int64_t value(std::string_view sql, std::vector<sql_value> const& params = {}) {
        auto r = rows(sql, params);
        if (r.empty() || r[0].empty()) return 0;
        if (auto d = std::get_if<double>(&r[0][0])) return static_cast<std::int64_t>(*d);
        auto i = std::get_if<std::int64_t>(&r[0][0]);
        return i ? *i : 0;
    }
    /// First column of the first row as text; "" when there is none.
    std::string text(std::string_view sql, std::vector<sql_value> const& params = {}) {
        auto r = rows(sql, params);
        if (r.empty() || r[0].empty()) return {};
        auto s = std::get_if<std::string>(&r[0][0]);
        return s ? *s : std::string{};
    }

private:
    verdict take(incoming& m) {
        auto worst = verdict::ok;
        if (m.client_id.empty()) m.client_id = m.identity;
        for (auto& s : lane_.seats_)
            for (auto const& t : s->what.topics) {
                if (t.dir != direction::up || !matches(t.filter, m.topic) || !s->table->on_message) continue;
                if (m.lsn == 0 && t.durable && m.qos > 0) m.lsn = ++lane_.last_lsn_;
                worst = std::max(worst, give(*s, m));
                break;      // once per plugin, however many of its filters match
            }
        if (m.lsn) open_.push_back(m);
        return worst;
    }
    verdict give(lane::seat& s, incoming const& m) {
        airmail_message c{};
        c.size = sizeof c, c.version = AIRMAIL_ABI_VERSION, c.topic = str(m.topic), c.identity = str(m.identity);
        c.client_id = str(m.client_id), c.payload = str(m.payload), c.content_type = str(m.content_type);
        c.response_topic = str(m.response_topic), c.correlation_data = str(m.correlation_data), c.traceparent = str(m.traceparent);
        c.lsn = m.lsn, c.received_ms = lane_.now_, c.tenant = m.tenant, c.qos = static_cast<std::uint8_t>(m.qos), c.retain = m.retain;
        auto v = verdict::fail;
        bool ok = lane_.step(s, "message", m.topic, m.payload, m.lsn, [&] {
            v = static_cast<verdict>(s.table->on_message(s.body, &c));
            return v != verdict::fail;
        });
        return ok ? v : verdict::fail;
    }
    response http(lane::seat& s, request const& r) {
        auto h = ++lane_.last_handle_;
        airmail_http c{};
        c.size = sizeof c, c.version = AIRMAIL_ABI_VERSION, c.verb = str(r.verb), c.path = str(r.path), c.query = str(r.query);
        c.body = str(r.body), c.headers = str(r.headers), c.body_file = str(r.body_file), c.body_sha256 = str(r.body_sha256);
        c.body_size = r.body_size ? r.body_size : r.body.size(), c.caller = str(r.caller), c.role = str(r.role);
        c.request_id = str(r.request_id), c.peer = str(r.peer), c.reply = h;
        bool ok = lane_.step(s, "http", r.path, r.body, 0, [&] { return s.table->on_http(s.body, &c), true; });
        if (!holding_) finish();
        if (!ok) return {500, "application/problem+json", {}, R"({"code":"host.plugin_failed"})"};
        auto at = lane_.https_.find(h);
        return at == lane_.https_.end() ? response{} : at->second;
    }
    static bool path_matches(std::string_view pattern, std::string_view path) {
        std::string filter;
        for (std::size_t i = 0; i < pattern.size(); ++i) {
            if (pattern[i] == '{') i = pattern.find('}', i), filter += '+';
            else filter += pattern[i] == '*' ? '#' : pattern[i];
        }
        return matches(filter, path);
    }
    bool may(std::string_view method, std::string_view role) const {
        auto rank = [](std::string_view r) { return r == "admin" ? 3 : r == "operator" ? 2 : r == "viewer" ? 1 : 0; };
        for (auto const& s : lane_.seats_)
            for (auto const& m : s->what.methods)
                if (m.name == method) return rank(role) >= rank(m.role);
        return true;
    }
    void move_to(instant t) { lane_.wall_ += t - lane_.now_, lane_.now_ = t; }
    void finish() {
        bool stop = std::exchange(stop_after_commit_, false);
        lane_.commit(!stop), open_.clear();
        if (stop) again(true);
    }
    void again(bool crashed) {
        holding_ = false;
        if (!crashed) {
            for (auto at = lane_.seats_.rbegin(); at != lane_.seats_.rend(); ++at)
                if ((*at)->table->stop) (*at)->table->stop((*at)->body);
            lane_.commit();
        }
        lane_.destroy_all(), lane_.start();
    }
    void redeliver() {
        for (auto& m : std::exchange(open_, {})) take(m);
        finish();
    }

    lane lane_;
    std::vector<incoming> open_;      // durable messages of the open transaction
    std::vector<std::shared_ptr<answer>> late_;
    bool holding_ = false, stop_after_commit_ = false;
};

}
