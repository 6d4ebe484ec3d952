#pragma once
// Plugins of the tests.

#include "plugins/sdk/plugin.hpp"

#include <chrono>

namespace airmail::host::test {

/// What a slow hook is: one that works, and works.
inline void spin_for(std::chrono::milliseconds t) {
    auto const end = std::chrono::steady_clock::now() + t;
    while (std::chrono::steady_clock::now() < end) {}
}

/// Stores what devices say; on request fails, waits, publishes, answers.
class diary : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "test.diary"; }
    static sdk::declaration declare() {
        sdk::declaration d;
        d.topics = {{.filter = "devices/{id}/say", .schema = {}},
                    {.filter = "devices/{id}/hint", .qos = 0, .durable = false, .overflow = "latest"},
                    {.filter = "devices/{id}/number", .durable = false, .overflow = "drop", .schema = R"({"type":"object","required":["n"],"properties":{"n":{"type":"integer","maximum":9}}})"},
                    {.filter = "devices/{id}/command", .dir = sdk::direction::down}};
        d.tables = {{.name = "diary", .primary_key = "n", .migrations = {"CREATE TABLE diary(n INTEGER PRIMARY KEY, who TEXT, what TEXT)"}}};
        d.methods = {{.name = "diary.count", .role = "viewer", .verb = "GET", .path = "/api/v1/diary/{id}"},
                     {.name = "diary.forget", .role = "operator", .verb = "DELETE", .path = "/api/v1/diary", .audit = true},
                     {.name = "diary.burn", .role = "admin", .audit = true},
                     {.name = "diary.never"}};
        d.routes = {{.verb = "GET", .path = "/diary/raw"}};
        d.ready_topic = "devices/{id}/command";
        return d;
    }
    void start() override {
        // Commands that may not have left before a crash: again, under the same id.
        for (auto const& r : ctx.sql("SELECT n FROM diary WHERE what = 'command'")) send(std::get<std::int64_t>(r[0]));
    }
    sdk::verdict message(sdk::message_view const& m) override {
        if (m.payload == "quiet") return sdk::verdict::ok;
        if (m.payload == "speak") return ctx.publish({.topic = "spoken", .payload = "x"}), sdk::verdict::ok;
        ctx.sql("INSERT INTO diary(who, what) VALUES(?, ?)", {std::string{m.identity}, std::string{m.payload}});
        if (m.payload == "boom") throw std::runtime_error("it exploded");
        if (m.payload == "command") send(std::get<std::int64_t>(ctx.sql("SELECT max(n) FROM diary")[0][0]));
        if (m.payload == "pragma") ctx.sql("PRAGMA user_version = 7");
        if (m.payload == "commit") ctx.sql("COMMIT");
        if (m.payload == "foreign") ctx.sql("DELETE FROM audit_log");
        if (m.payload == "timer") ctx.timer(5, ctx.now() + 100);
        if (m.payload == "slow") spin_for(std::chrono::milliseconds{80});
        return sdk::verdict::ok;
    }
    void session(sdk::session_view const& s) override {
        ctx.sql("INSERT INTO diary(who, what) VALUES(?, ?)", {std::string{s.identity}, s.change == sdk::session_change::ready ? "ready" : "gone"});
    }
    void delivered(sdk::delivery_view const& d) override {
        ctx.sql("INSERT INTO diary(who, what) VALUES(?, ?)", {std::string{d.identity}, std::string{d.topic} + " " + std::string{d.correlation_data}});
        if (d.topic == "devices/boom/command") throw std::runtime_error("it exploded");
    }
    void tick(std::uint64_t id, sdk::instant) override { ctx.sql("INSERT INTO diary(who, what) VALUES('timer', ?)", {std::to_string(id)}); }
    void method(sdk::call_view const& c) override {
        if (c.method == "diary.never") return;
        if (c.method == "diary.forget") ctx.sql("DELETE FROM diary");
        if (c.method == "diary.burn") {
            ctx.sql("DELETE FROM diary");
            ctx.reply(c.handle, 200, "{}");
            throw std::runtime_error("the fire went out");
        }
        auto n = std::get<std::int64_t>(ctx.sql("SELECT count(*) FROM diary")[0][0]);
        ctx.reply(c.handle, 200, "{\"count\":" + std::to_string(n) + "}");
    }
    void http(sdk::http_view const& r) override { ctx.reply(r.handle, sdk::http_reply{.content_type = "text/plain", .body = "raw " + std::string{r.query}}); }

private:
    void send(std::int64_t n) {
        auto id = "cmd-" + std::to_string(n);
        ctx.publish({.topic = "devices/dev-1/command", .payload = id, .correlation_data = id});
    }
};

/// Reads the same topic, calls the diary.
class reader : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "test.reader"; }
    static sdk::declaration declare() {
        sdk::declaration d;
        d.topics = {{.filter = "devices/+/say"}, {.filter = "ask/#"}};
        d.after = {"test.diary"};
        return d;
    }
    sdk::verdict message(sdk::message_view const& m) override {
        ++seen;
        if (m.topic.starts_with("ask/"))
            ctx.call(m.topic.substr(4), m.payload, [](int status, std::string_view json) { answers.push_back(std::to_string(status) + " " + std::string{json}); });
        return sdk::verdict::ok;
    }
    static inline int seen = 0;
    static inline std::vector<std::string> answers;
};

/// Decides logins: good password yes, "defer" never answers.
class doorman : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "test.doorman"; }
    static sdk::declaration declare() { return {}; }
    sdk::verdict connect(std::string_view, std::string_view user, std::string_view password, std::string_view, std::uint64_t h) override {
        if (user == "defer") return sdk::verdict::defer;
        if (user == "throw") throw std::runtime_error("no");
        if (user == "role") return ctx.answer_connect(h, sdk::verdict::ok, "operator"), sdk::verdict::defer;
        return password == "good" ? sdk::verdict::ok : sdk::verdict::refuse;
    }
};

}
