#pragma once
// sdk::context over the C host table: strings become (ptr,len), error codes become sdk::error, callbacks become functions.
// Owned by: the plugin's instance (adapter.hpp). Lane thread only, except now, wall, log, option, timer and metrics.

#include "plugins/sdk/hooks.hpp"

#include <cstddef>
#include <exception>
#include <memory>
#include <unordered_map>
#include <utility>

namespace airmail::sdk::detail {

inline airmail_str str(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view view(airmail_str s) { return s.len ? std::string_view{s.ptr, s.len} : std::string_view{}; }

/// SQL values for the call; text and blobs point into `v`.
inline airmail_value to_c(sql_value const& v) {
    airmail_value out{};
    if (auto i = std::get_if<std::int64_t>(&v)) out.type = 1, out.i = *i;
    else if (auto d = std::get_if<double>(&v)) out.type = 2, out.d = *d;
    else if (auto s = std::get_if<std::string>(&v)) out.type = 3, out.s = str(*s);
    else if (auto b = std::get_if<std::vector<std::uint8_t>>(&v))
        out.type = 4, out.s = {reinterpret_cast<char const*>(b->data()), b->size()};
    return out;
}

inline sql_value from_c(airmail_value const& v) {
    switch (v.type) {
    case 1: return v.i;
    case 2: return v.d;
    case 3: return std::string{view(v.s)};
    case 4: {
        auto p = reinterpret_cast<std::uint8_t const*>(v.s.ptr);
        return std::vector<std::uint8_t>(p, p + v.s.len);
    }
    default: return nullptr;
    }
}

class host_context final : public context {
public:
    /// `host` outlives this object.
    explicit host_context(airmail_host const* host) : h_(host) {}

    instant now() const override { return h_->now_ms(h_->self); }
    instant wall() const override { return h_->wall_ms(h_->self); }
    void log(level l, std::string_view text, std::string_view fields) override {
        h_->log(h_->self, static_cast<airmail_level>(l), str(text), str(fields));
    }
    std::string option(std::string_view key) const override { return std::string{view(h_->option(h_->self, str(key)))}; }

    void publish(publication const& p) override {
        airmail_publish c{};
        c.size = sizeof c, c.version = AIRMAIL_ABI_VERSION;
        c.topic = str(p.topic), c.payload = str(p.payload), c.content_type = str(p.content_type);
        c.response_topic = str(p.response_topic), c.correlation_data = str(p.correlation_data);
        c.traceparent = str(p.traceparent);
        c.expiry_s = p.expiry_s, c.qos = static_cast<std::uint8_t>(p.qos), c.retain = p.retain;
        check(h_->publish(h_->self, &c));
    }

    std::vector<sql_row> sql(std::string_view text, std::vector<sql_value> const& params) override {
        std::vector<airmail_value> values;
        values.reserve(params.size());
        for (auto const& p : params) values.push_back(to_c(p));
        std::vector<sql_row> rows;
        check(h_->sql(h_->self, str(text), values.data(), values.size(), &add_row, &rows));
        return rows;
    }
    std::int64_t changes() const override { return h_->sql_changes(h_->self); }
    void timer(std::uint64_t id, instant due) override { check(h_->timer(h_->self, id, due)); }

    void call(std::string_view method, std::string_view params, std::function<void(int, std::string_view)> done) override {
        auto slot = std::make_unique<asked>(asked{this, std::move(done)});
        auto* key = slot.get();
        asked_.emplace(key, std::move(slot));
        if (int rc = h_->call(h_->self, str(method), str(params), &answered, key); rc != 0) asked_.erase(key), check(rc);
        // What the answer's function threw while we stood here belongs to the caller.
        if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    }

    void reply(std::uint64_t handle, int status, std::string_view json) override {
        check(h_->reply_method(h_->self, handle, static_cast<std::uint32_t>(status), str(json)));
    }
    void reply(std::uint64_t handle, http_reply const& r) override {
        airmail_http_reply c{};
        c.size = sizeof c, c.version = AIRMAIL_ABI_VERSION;
        c.kind = r.file_path.empty() ? 0 : 1, c.status = static_cast<std::uint32_t>(r.status);
        c.content_type = str(r.content_type), c.headers = str(r.headers), c.body = str(r.body);
        c.file_path = str(r.file_path), c.etag = str(r.etag), c.revoke_token = str(r.revoke_token);
        c.rate_bytes_s = r.rate_bytes_s, c.byte_budget = r.byte_budget, c.file_bytes = r.file_bytes;
        check(h_->reply_http(h_->self, handle, &c));
    }
    void revoke(std::string_view token) override { check(h_->revoke(h_->self, str(token))); }
    void disconnect(std::string_view identity, int reason) override {
        check(h_->disconnect(h_->self, str(identity), static_cast<std::uint32_t>(reason)));
    }
    void state_put(std::uint64_t key, std::string_view value) override { check(h_->state_put(h_->self, key, str(value))); }
    void state_scan(std::function<void(std::uint64_t, std::string_view)> const& f) override {
        scan s{&f, {}};
        check(h_->state_scan(h_->self, &scanned, &s));
        if (s.thrown) std::rethrow_exception(s.thrown);
    }
    void metric_add(std::string_view name, double delta, std::string_view labels) override {
        h_->metric_add(h_->self, cell(name, labels), delta);
    }
    void metric_set(std::string_view name, double value, std::string_view labels) override {
        h_->metric_set(h_->self, cell(name, labels), value);
    }
    void answer_connect(std::uint64_t handle, verdict v, std::string_view role) override {
        check(h_->connect_answer(h_->self, handle, static_cast<airmail_verdict>(v), str(role)));
    }

    /// An exception stopped at the border outside of the lane: a line in the log. Any thread; never throws.
    void complain(char const* hook, std::string_view why) noexcept {
        try {
            log(level::error, std::string{hook} + ": " + std::string{why}, {});
        } catch (...) {}   // as in fail
    }

    /// An exception stopped at the border: the host undoes the item. Never throws.
    void fail(char const* hook, std::string_view why) noexcept {
        try {
            std::string text = std::string{hook} + ": " + std::string{why};
            // A host older than `fail` still reads it in its log.
            if (h_->size >= offsetof(airmail_host, fail) + sizeof(h_->fail) && h_->fail) h_->fail(h_->self, str(text));
            else log(level::error, text, {});
        } catch (...) {}   // out of memory while saying so: the verdict alone must do
    }

private:
    struct asked {
        host_context* self;
        std::function<void(int, std::string_view)> done;
    };
    struct scan {
        std::function<void(std::uint64_t, std::string_view)> const* f;
        std::exception_ptr thrown;
    };

    void check(int rc) const {
        if (rc != 0) throw error(std::string{view(h_->last_error(h_->self))}, rc);
    }

    static int add_row(void* user, airmail_value const* columns, std::size_t count) noexcept try {
        auto& row = static_cast<std::vector<sql_row>*>(user)->emplace_back();
        row.reserve(count);
        for (std::size_t i = 0; i < count; ++i) row.push_back(from_c(columns[i]));
        return 0;
    } catch (...) { return 1; }

    static void answered(void* user, std::uint32_t status, airmail_str json) noexcept {
        auto* key = static_cast<asked*>(user);
        auto* self = key->self;
        auto node = self->asked_.extract(key);
        if (status == 0 || node.empty()) return;   // rolled back: nobody waits any more
        try {
            node.mapped()->done(static_cast<int>(status), view(json));
        } catch (std::exception const& e) {
            self->thrown_ = std::current_exception(), self->fail("answer of a call", e.what());
        } catch (...) {
            self->thrown_ = std::current_exception(), self->fail("answer of a call", "unknown exception");
        }
    }

    static int scanned(void* user, std::uint64_t key, airmail_str value) noexcept {
        auto* s = static_cast<scan*>(user);
        try {
            (*s->f)(key, view(value));
            return 0;
        } catch (...) { s->thrown = std::current_exception(); }
        return 1;
    }

    std::uint64_t cell(std::string_view name, std::string_view labels) {
        std::string key{name};
        (key += '\0') += labels;
        auto [at, fresh] = cells_.try_emplace(std::move(key), 0);
        if (fresh) at->second = h_->metric(h_->self, str(name), str(labels));
        return at->second;
    }

    airmail_host const* h_;
    std::unordered_map<asked*, std::unique_ptr<asked>> asked_;
    std::unordered_map<std::string, std::uint64_t> cells_;
    std::exception_ptr thrown_;

public:
    /// The adapter forgets what an answer threw outside a call (it has been reported by fail already).
    void settle() noexcept { thrown_ = nullptr; }
};

}
