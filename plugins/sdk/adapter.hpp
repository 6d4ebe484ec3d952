#pragma once
// Between a C++ plugin and the C table: one static function per hook. Every exception stops here: it is told to the host
// (airmail_host::fail) and becomes AIRMAIL_FAIL; nothing thrown crosses the border in either direction.

#include "plugins/sdk/declare.hpp"
#include "plugins/sdk/host_context.hpp"
#include "plugins/sdk/well_formed.hpp"

namespace airmail::sdk {

namespace detail {

template <class P>
struct adapter {
    /// What `create` makes: the context first, since the plugin's constructor already uses it.
    struct body {
        host_context ctx;
        P plugin;
        explicit body(airmail_host const* h) : ctx(h), plugin(ctx) {}
    };

    template <class F>
    static bool guarded(void* p, char const* hook, F f) noexcept {
        auto& b = *static_cast<body*>(p);
        try {
            f(b.plugin);
            b.ctx.settle();
            return true;
        } catch (std::exception const& e) {
            b.ctx.fail(hook, e.what());
        } catch (...) { b.ctx.fail(hook, "unknown exception"); }
        b.ctx.settle();
        return false;
    }

    /// On a shard's thread (plugin_inline true), beside whatever the lane does: nothing of the context that is the lane's.
    template <class F>
    static void inline_ask(void* p, F f) noexcept {
        auto& b = *static_cast<body*>(p);
        try {
            f(b.plugin);
        } catch (std::exception const& e) {
            b.ctx.complain("connect", e.what());
        } catch (...) { b.ctx.complain("connect", "unknown exception"); }
    }

    static airmail_str declare() noexcept {
        try {
            static std::string const json = to_json(P::declare());
            return str(json);
        } catch (...) { return {nullptr, 0}; }   // the host says: empty declaration
    }

    static void* create(airmail_host const* h) noexcept {
        host_context words{h};
        try {
            return new body(h);
        } catch (std::exception const& e) {
            words.fail("create", e.what());
        } catch (...) { words.fail("create", "unknown exception"); }
        return nullptr;
    }
    static void destroy(void* p) noexcept { delete static_cast<body*>(p); }
    static int configure(void* p) noexcept { return !guarded(p, "configure", [](P& x) { x.configure(); }); }
    static int start(void* p) noexcept { return !guarded(p, "start", [](P& x) { x.start(); }); }
    static void stop(void* p) noexcept { guarded(p, "stop", [](P& x) { x.stop(); }); }

    static airmail_verdict on_message(void* p, airmail_message const* m) noexcept {
        auto v = verdict::fail;
        guarded(p, "message", [&](P& x) {
            v = x.message(message_view{view(m->topic), view(m->identity), view(m->client_id), view(m->payload),
                                       view(m->content_type), view(m->response_topic), view(m->correlation_data),
                                       view(m->traceparent), m->lsn, m->received_ms, m->tenant, m->qos, m->retain != 0});
        });
        return static_cast<airmail_verdict>(v);
    }
    static void on_session(void* p, airmail_session const* s) noexcept {
        guarded(p, "session", [&](P& x) {
            x.session(session_view{static_cast<session_change>(s->event), view(s->identity), view(s->client_id),
                                   view(s->topic), view(s->note), s->connection, s->at_ms});
        });
    }
    static void on_timer(void* p, std::uint64_t id, std::int64_t now_ms) noexcept {
        guarded(p, "tick", [&](P& x) { x.tick(id, now_ms); });
    }
    static void on_method(void* p, airmail_call const* c) noexcept {
        guarded(p, "method", [&](P& x) {
            x.method(call_view{view(c->method), view(c->params), view(c->caller), view(c->role), view(c->request_id),
                               view(c->traceparent), c->reply});
        });
    }
    static void on_http(void* p, airmail_http const* r) noexcept {
        guarded(p, "http", [&](P& x) {
            http_view v;
            v.verb = view(r->verb), v.path = view(r->path), v.query = view(r->query), v.body = view(r->body);
            v.headers = view(r->headers), v.body_file = view(r->body_file), v.body_sha256 = view(r->body_sha256);
            v.caller = view(r->caller), v.role = view(r->role), v.request_id = view(r->request_id), v.peer = view(r->peer);
            v.body_size = r->body_size, v.handle = r->reply;
            x.http(v);
        });
    }
    static airmail_verdict on_connect(void* p, airmail_str identity, airmail_str user, airmail_str password, airmail_str peer,
                                      std::uint64_t handle) noexcept {
        auto v = verdict::fail;
        auto ask = [&](P& x) { v = x.connect(view(identity), view(user), view(password), view(peer), handle); };
        if (handle != 0) guarded(p, "connect", ask);
        else inline_ask(p, ask);
        return static_cast<airmail_verdict>(v);
    }
    static void on_delivered(void* p, airmail_delivery const* d) noexcept {
        guarded(p, "delivered", [&](P& x) { x.delivered(delivery_view{view(d->identity), view(d->topic), view(d->correlation_data)}); });
    }
    static void on_committed(void* p) noexcept { guarded(p, "committed", [](P& x) { x.committed(); }); }
};

// Does P override this hook? A hook that is not overridden stays null, so the host does not even queue for it.
// (An override that is not accessible from here counts as one.)
#define AIRMAIL_OVERRIDES(P, hook)                                                                                         \
    (!requires { &P::hook; } || !requires { requires std::same_as<decltype(&P::hook), decltype(&::airmail::sdk::plugin::hook)>; })

template <class P>
airmail_plugin_v1_t describe() {
    using a = adapter<P>;
    airmail_plugin_v1_t d{};
    d.size = sizeof d, d.version = AIRMAIL_ABI_VERSION, d.id = str(P::id());
    d.declare = &a::declare, d.create = &a::create, d.destroy = &a::destroy;
    d.configure = &a::configure, d.start = &a::start, d.stop = &a::stop;
    if constexpr (AIRMAIL_OVERRIDES(P, message)) d.on_message = &a::on_message;
    if constexpr (AIRMAIL_OVERRIDES(P, session)) d.on_session = &a::on_session;
    if constexpr (AIRMAIL_OVERRIDES(P, tick)) d.on_timer = &a::on_timer;
    if constexpr (AIRMAIL_OVERRIDES(P, connect)) d.on_connect = &a::on_connect;
    if constexpr (AIRMAIL_OVERRIDES(P, committed)) d.on_committed = &a::on_committed;
    if constexpr (AIRMAIL_OVERRIDES(P, delivered)) d.on_delivered = &a::on_delivered;
    d.on_method = &a::on_method, d.on_http = &a::on_http;   // the base answers 404: a caller must never wait in vain
    return d;
}
#undef AIRMAIL_OVERRIDES

}

/// The C table of a C++ plugin, made once, valid for ever. Built-ins are registered with it: host.add(make_descriptor<x>()).
template <class P>
airmail_plugin_v1_t const* make_descriptor() {
    static_assert(detail::explain<P>::ok);
    static airmail_plugin_v1_t const table = detail::describe<P>();
    return &table;
}

}

/// Ends the one .cpp of a plugin that is loaded as a shared object. The class must be well formed (well_formed.hpp).
#define AIRMAIL_PLUGIN(cls)                                                                                                \
    extern "C" AIRMAIL_EXPORT airmail_plugin_v1_t const* airmail_plugin_v1(void) {                                        \
        return ::airmail::sdk::make_descriptor<cls>();                                                                     \
    }
