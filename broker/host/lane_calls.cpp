// Methods, requests, logins: what must be answered, and who is waiting for it.
#include "broker/host/lane.hpp"
#include "broker/host/lane_step.hpp"
#include "storage/sqlite/audit.hpp"

#include <boost/json.hpp>
#include <cerrno>

namespace airmail::host {

namespace sqlite = storage::sqlite;

namespace {

airmail_str str(std::string_view s) { return {s.data(), s.size()}; }

constexpr int calls_deep_max = 8;
constexpr char const* plugin_failed = R"({"code":"host.plugin_failed"})";

/// Secrets have no business in the audit log; long texts neither.
bool secret(std::string_view key) {
    for (auto word : {"password", "secret", "token", "private", "key_pem", "credential"})
        if (key.find(word) != key.npos) return true;
    return false;
}

void strip(boost::json::value& v, int depth) {
    if (auto* o = v.if_object()) {
        for (auto& m : *o)
            if (secret(std::string_view{m.key()}) || depth > 8) m.value() = "...";
            else strip(m.value(), depth + 1);
    } else if (auto* a = v.if_array()) {
        if (a->size() > 100) a->resize(100);
        for (auto& x : *a) strip(x, depth + 1);
    } else if (auto* s = v.if_string(); s && s->size() > 1024) s->resize(1024);
}

std::string target_of(boost::json::object const& params) {
    for (auto key : {"id", "firmware_id", "campaign_id", "device_id", "serial_no", "device", "name"})
        if (auto const* v = params.if_contains(key); v && v->is_string()) return std::string{v->get_string()};
    return {};
}

}

std::uint64_t lane::await(pending p) {
    p.deadline_ms = steady_ms() + env_.options.call_timeout.count();
    pending_.emplace(++last_handle_, std::move(p));
    return last_handle_;
}

void lane::on(call_event const& e) { run_call(*e.what, e.params, e.who, 0, e.done); }

/// Runs the method's hook as a step. From outside (`asked_id` 0) the answer leaves after the commit; asked by a plugin of
/// this lane it is given at once, unless the hook has put it off.
void lane::run_call(method const& what, std::string_view params, caller const& who, std::uint64_t asked_id, method_done done) {
    auto& to = *what.who;
    auto handle = await({.who = &to, .inside = asked_id != 0, .asked = asked_id, .done = std::move(done)});
    airmail_call c{};
    c.size = sizeof c, c.version = AIRMAIL_ABI_VERSION, c.method = str(what.what.name), c.params = str(params), c.reply = handle;
    c.caller = str(who.name), c.role = str(who.role), c.request_id = str(who.request_id), c.traceparent = str(who.traceparent);
    outbox_->traceparent(who.traceparent);
    ++calls_deep_;
    bool ok = run_step(to, "method", [&] { return to.table->on_method ? (to.table->on_method(to.body, &c), true) : false; });
    --calls_deep_;
    if (broken_) return;
    auto at = pending_.find(handle);
    if (at == pending_.end()) return;
    auto& p = at->second;
    if (what.what.audit) audit(what.what.name, params, who, !ok ? 500 : p.given ? p.given->first : 0);
    if (broken_) return;
    p.inside = false;
    if (!ok) {
        auto gone = std::move(p);
        pending_.erase(at);
        if (asked_id) answer_asked(asked_id, 500, plugin_failed);
        else effects_.push_back(reply_effect{std::move(gone.done), 500, plugin_failed});
    } else if (asked_id && p.given) {
        auto given = std::move(*p.given);
        pending_.erase(at);
        answer_asked(asked_id, given.first, given.second);
    }
}

void lane::audit(std::string const& action, std::string_view params, caller const& who, int status) {
    sqlite::audit_entry e;
    e.tenant = who.tenant, e.at_ms = env_.options.wall_ms(), e.actor = who.name, e.role = who.role, e.action = action;
    e.request_id = who.request_id, e.traceparent = who.traceparent;
    e.outcome = status == 0 ? "accepted" : status < 400 ? "ok" : "failed " + std::to_string(status);
    boost::system::error_code ec;
    auto v = boost::json::parse(params, ec);
    if (!ec && v.is_object()) {
        e.target = target_of(v.get_object());
        strip(v, 0);
        e.detail = boost::json::serialize(v);
    }
    try {
        tx_->write();
        sqlite::audit_append(*db_, e);
    } catch (sqlite::error const& x) { broken(x.what()); }    // what cannot be audited is not done
}

/// A route that changes something stands in the audit like a method: what came, and what the plugin made of it.
void lane::audit_route(http_event const& e, pending const* answered) {
    auto const& r = e.request;
    auto const& pattern = e.what->what.path;
    std::string action = pattern.substr(pattern.rfind('/') + 1) + (e.what->what.body == "file" ? ".upload" : "." + r.verb);
    boost::json::object detail;
    if (answered && answered->given) {
        boost::system::error_code ec;
        auto const said = boost::json::parse(answered->given->second, ec);
        for (auto key : {"firmware_id", "version", "code"})
            if (auto const* v = !ec && said.is_object() ? said.get_object().if_contains(key) : nullptr) detail[key] = *v;
    }
    if (r.body_size) detail["bytes"] = r.body_size;
    if (!r.body_sha256.empty()) detail["sha256"] = r.body_sha256;
    audit(action, boost::json::serialize(detail), r.who, answered && answered->given ? answered->given->first : answered ? 0 : 500);
}

int lane::call(instance& from, std::string_view name, std::string_view params, airmail_reply_fn done, void* user) {
    if (broken_) return from.last_error = "call: the batch is being rolled back", EAGAIN;
    auto const* what = env_.methods.find(name);
    if (!what) return from.last_error = "call: nobody declares \"" + std::string{name} + "\"", ENOENT;
    if (calls_deep_ >= calls_deep_max) return from.last_error = "call: nested deeper than 8", ELOOP;
    auto id = ++last_asked_;
    asked_.emplace(id, asked{&from, done, user});
    if (what->who->home != this) {
        if (add(remote_call_effect{id, what, std::string{params}, from.id})) return 0;
        asked_.erase(id);
        return from.last_error = "call: too many effects in one batch", ENOBUFS;
    }
    run_call(*what, params, {.name = from.id, .role = "admin"}, id, {});
    return 0;
}

void lane::answer_asked(std::uint64_t id, int status, std::string_view json) {
    auto node = asked_.extract(id);
    if (!node.empty()) node.mapped().done(node.mapped().user, static_cast<std::uint32_t>(status), str(json));
}

/// The batch (or step) that asked is gone: status 0 only frees what waits.
void lane::forget_asked(std::uint64_t from) {
    for (auto at = asked_.lower_bound(from); at != asked_.end(); at = asked_.lower_bound(from)) {
        auto a = at->second;
        asked_.erase(at);
        a.done(a.user, 0, {nullptr, 0});
    }
}

void lane::on(answer_event const& e) {
    auto at = asked_.find(e.asked);
    if (at == asked_.end()) return;
    auto a = at->second;
    // Kept until the batch commits would mean calling twice after a rollback: the plugin's function is called once, its
    // failure is set aside like any other.
    asked_.erase(at);
    bool ok = run_step(*a.who, "answer", [&] { return a.done(a.user, static_cast<std::uint32_t>(e.status), str(e.json)), true; });
    if (!ok && !broken_) set_aside(*a.who, "answer", 0, "call", {}, e.json);
}

int lane::reply(instance& from, std::uint64_t handle, int status, std::string_view json) {
    auto at = pending_.find(handle);
    if (at == pending_.end() || at->second.who != &from || at->second.http || at->second.given)
        return from.last_error = "reply: unknown or answered handle", EINVAL;
    auto& p = at->second;
    if (p.inside) return p.given.emplace(status, json), 0;
    p.given.emplace(status, std::string{});
    effects_.push_back(late_reply_effect{handle, status, std::string{json}});
    return 0;
}

int lane::reply_http(instance& from, std::uint64_t handle, http_answer a) {
    auto at = pending_.find(handle);
    if (at == pending_.end() || at->second.who != &from || !at->second.http || at->second.given)
        return from.last_error = "reply: unknown or answered handle", EINVAL;
    constexpr std::size_t shown_max = 16 << 10;    // for the audit; a file or a long page is nothing it could use
    at->second.given.emplace(a.status, a.body.size() <= shown_max ? a.body : std::string{});
    effects_.push_back(http_effect{handle, std::move(a)});
    return 0;
}

void lane::on(http_event const& e) {
    auto& to = *e.what->who;
    auto const& r = e.request;
    auto handle = await({.who = &to, .http = e.done});
    airmail_http c{};
    c.size = sizeof c, c.version = AIRMAIL_ABI_VERSION, c.verb = str(r.verb), c.path = str(r.path), c.query = str(r.query);
    c.body = str(r.body), c.headers = str(r.headers), c.body_file = str(r.body_file), c.body_sha256 = str(r.body_sha256);
    c.body_size = r.body_size, c.caller = str(r.who.name), c.role = str(r.who.role), c.request_id = str(r.who.request_id);
    c.peer = str(r.peer), c.reply = handle;
    outbox_->traceparent(r.who.traceparent);
    bool ok = run_step(to, "http", [&] { return to.table->on_http ? (to.table->on_http(to.body, &c), true) : false; });
    if (broken_) return;
    if (!e.what->what.role.empty() && r.verb != "GET" && r.verb != "HEAD") {
        auto const at = pending_.find(handle);
        audit_route(e, ok && at != pending_.end() ? &at->second : nullptr);
    }
    if (ok || broken_) return;
    effects_.push_back(http_effect{handle, {.status = 500, .content_type = "application/problem+json", .body = plugin_failed}});
}

void lane::on(connect_event const& e) {
    auto& l = *e.who;
    if (l.answered.load()) return;
    auto handle = ++last_handle_;
    connects_.emplace(handle, e);
    auto v = AIRMAIL_FAIL;
    bool ok = run_step(*e.ask, "connect", [&] {
        v = e.ask->table->on_connect(e.ask->body, str(l.identity), str(l.user), str(l.password), str(l.peer), handle);
        return v != AIRMAIL_FAIL;
    });
    if (broken_ || (ok && v == AIRMAIL_DEFER)) return;
    // A plugin that fails decides nothing in favour of anyone.
    auto const said = !ok || v == AIRMAIL_REFUSE ? sdk::verdict::refuse : sdk::verdict::ok;
    effects_.push_back(connect_effect{handle, said, {}});
}

void lane::expire_calls() {
    auto now = steady_ms();
    for (auto at = pending_.begin(); at != pending_.end() && at->second.deadline_ms <= now;) {
        auto p = std::move(at->second);
        at = pending_.erase(at);
        counters_.calls_timed_out.fetch_add(1, std::memory_order_relaxed);
        constexpr char const* timeout = R"({"code":"host.timeout"})";
        if (p.http) p.http({.status = 504, .content_type = "application/problem+json", .body = timeout});
        else if (p.asked) deliver(std::make_unique<event>(answer_event{p.asked, 504, timeout}));
        else if (p.done) p.done(504, timeout);
    }
    for (auto at = connects_.begin(); at != connects_.end();)
        at = at->second.who->answered.load() ? connects_.erase(at) : std::next(at);
}

}
