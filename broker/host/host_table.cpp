// The functions a plugin calls. Nothing thrown leaves here: a plugin may be C.
#include "broker/host/instance.hpp"
#include "broker/host/lane.hpp"

#include <cerrno>

namespace airmail::host {

namespace {

std::string_view view(airmail_str s) { return s.len ? std::string_view{s.ptr, s.len} : std::string_view{}; }
std::string text(airmail_str s) { return std::string{view(s)}; }
instance& me(void* self) { return *static_cast<instance*>(self); }

int no(instance& i, int code, std::string why) noexcept { return i.last_error = std::move(why), code; }

/// Most functions belong to hooks: rows, effects and handles are the running batch's.
template <class F>
int in_hook(void* self, char const* what, F f) noexcept {
    auto& i = me(self);
    try {
        if (!i.home || !i.home->inside()) return EPERM;    // last_error is the lane's: not to be touched from here
        return f(i, *i.home);
    } catch (std::exception const& e) { return no(i, EIO, std::string{what} + ": " + e.what()); }
}

int effect_or_full(instance& i, lane& l, effect e) {
    return l.add(std::move(e)) ? 0 : no(i, ENOBUFS, "too many effects in one batch: spread the work over timers");
}

bool valid_topic(std::string_view t) { return !t.empty() && t.size() <= 65535 && t.find_first_of(std::string_view{"+#\0", 3}) == t.npos; }

int publish(void* self, airmail_publish const* p) {
    return in_hook(self, "publish", [p](instance& i, lane& l) {
        if (p->version != AIRMAIL_ABI_VERSION || p->size < sizeof *p) return no(i, EINVAL, "publish: set size and version");
        if (!valid_topic(view(p->topic))) return no(i, EINVAL, "publish: not a topic name: \"" + text(p->topic) + "\"");
        if (p->qos > 2) return no(i, EINVAL, "publish: QoS is 0, 1 or 2");
        return effect_or_full(i, l, publish_effect{&i, text(p->topic), text(p->payload), text(p->content_type), text(p->response_topic),
                                                   text(p->correlation_data), text(p->traceparent), p->expiry_s, p->qos, p->retain != 0});
    });
}

int timer(void* self, std::uint64_t id, std::int64_t due) noexcept try {
    auto& i = me(self);
    if (i.home->inside()) return effect_or_full(i, *i.home, timer_effect{&i, id, due});
    // From a plugin's own thread: this is how it comes back to its lane.
    i.home->deliver(std::make_unique<event>(timer_event{&i, id, due, false}));
    return 0;
} catch (...) { return ENOMEM; }

airmail_str option(void* self, airmail_str key) noexcept try {
    auto& i = me(self);
    // Valid until this thread's next call: options may be read from the plugin's own threads.
    thread_local std::string value;
    // The configuration knows a shared object by its path: what it is called stands inside of it.
    value = i.home->env().options.option ? i.home->env().options.option(i.built_in ? i.id : i.where, view(key)) : std::string{};
    return {value.data(), value.size()};
} catch (...) { return {nullptr, 0}; }

int reply_http(void* self, std::uint64_t handle, airmail_http_reply const* r) {
    return in_hook(self, "reply", [&](instance& i, lane& l) {
        // Plugins of before file_bytes say a smaller size.
        if (r->version != AIRMAIL_ABI_VERSION || r->size < offsetof(airmail_http_reply, file_bytes)) return no(i, EINVAL, "reply: set size and version");
        std::uint64_t const file_bytes = r->size >= sizeof *r ? r->file_bytes : 0;
        http_answer a{static_cast<int>(r->status), text(r->content_type), text(r->headers), text(r->body), {}, text(r->etag),
                      text(r->revoke_token), r->rate_bytes_s, r->byte_budget, file_bytes};
        if (r->kind == 1) a.file_path = text(r->file_path);
        return l.reply_http(i, handle, std::move(a));
    });
}

int state_scan(void* self, int (*f)(void*, std::uint64_t, airmail_str), void* user) {
    return in_hook(self, "state_scan", [&](instance& i, lane& l) {
        l.env().out.state_scan(i.number, [&](std::uint64_t key, std::string_view v) { return f(user, key, {v.data(), v.size()}) == 0; });
        return 0;
    });
}

void log(void* self, airmail_level level, airmail_str line, airmail_str fields) noexcept try {
    auto& i = me(self);
    if (i.home) i.home->env().out.log(static_cast<sdk::level>(level & 3), i.id, view(line), view(fields));
} catch (...) {}   // a line lost for want of memory

}

airmail_host host_table_of(instance& i) {
    airmail_host h{};
    h.size = sizeof h, h.version = AIRMAIL_ABI_VERSION, h.self = &i;
    h.now_ms = [](void* s) { return me(s).home->env().options.now_ms(); };
    h.wall_ms = [](void* s) { return me(s).home->env().options.wall_ms(); };
    h.log = &log, h.option = &option, h.publish = &publish, h.timer = &timer;
    h.sql = [](void* s, airmail_str sql, airmail_value const* params, std::size_t count, airmail_row_fn row, void* user) {
        return in_hook(s, "sql", [&](instance& x, lane& l) { return l.sql(x, view(sql), params, count, row, user); });
    };
    h.sql_changes = [](void* s) -> std::int64_t { return me(s).home->inside() ? me(s).home->changes() : 0; };
    h.call = [](void* s, airmail_str method, airmail_str params, airmail_reply_fn done, void* user) {
        return in_hook(s, "call", [&](instance& x, lane& l) { return l.call(x, view(method), view(params), done, user); });
    };
    h.reply_method = [](void* s, std::uint64_t handle, std::uint32_t status, airmail_str json) {
        return in_hook(s, "reply", [&](instance& x, lane& l) { return l.reply(x, handle, static_cast<int>(status), view(json)); });
    };
    h.reply_http = &reply_http;
    h.revoke = [](void* s, airmail_str token) {
        return in_hook(s, "revoke", [&](instance& x, lane& l) { return effect_or_full(x, l, revoke_effect{text(token)}); });
    };
    h.disconnect = [](void* s, airmail_str identity, std::uint32_t reason) {
        return in_hook(s, "disconnect", [&](instance& x, lane& l) {
            return effect_or_full(x, l, disconnect_effect{text(identity), static_cast<std::uint8_t>(reason)});
        });
    };
    h.state_put = [](void* s, std::uint64_t key, airmail_str value) {
        return in_hook(s, "state_put", [&](instance& x, lane& l) { return effect_or_full(x, l, state_effect{&x, key, text(value)}); });
    };
    h.state_scan = &state_scan;
    h.metric = [](void* s, airmail_str name, airmail_str labels) { return me(s).metric(view(name), view(labels)); };
    h.metric_add = [](void* s, std::uint64_t cell, double x) { me(s).metric_add(cell, x); };
    h.metric_set = [](void* s, std::uint64_t cell, double x) { me(s).metric_set(cell, x); };
    h.connect_answer = [](void* s, std::uint64_t handle, airmail_verdict v, airmail_str role) {
        return in_hook(s, "connect_answer", [&](instance& x, lane& l) {
            auto said = v == AIRMAIL_OK ? sdk::verdict::ok : sdk::verdict::refuse;
            return effect_or_full(x, l, connect_effect{handle, said, text(role)});
        });
    };
    h.last_error = [](void* s) -> airmail_str {
        auto& x = me(s);
        if (!x.home || !x.home->inside()) {
            static constexpr std::string_view outside = "called outside a hook (use timer(id, now) to come back to the lane)";
            return {outside.data(), outside.size()};
        }
        return {x.last_error.data(), x.last_error.size()};
    };
    h.fail = [](void* s, airmail_str why) {
        return in_hook(s, "fail", [&](instance& x, lane& l) { return l.fail(x, view(why)), 0; });
    };
    return h;
}

}
