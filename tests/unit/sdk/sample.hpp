#pragma once
// A plugin that uses every hook: the tests of the SDK and of the bench drive it.

#include "plugins/sdk/plugin.hpp"

namespace airmail::sdk::test {

class sample : public plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "test.sample"; }
    static declaration declare() {
        declaration d;
        d.topics = {{.filter = "devices/{id}/say"}, {.filter = "devices/{id}/hint", .qos = 0, .durable = false, .overflow = "latest"}};
        d.tables = {{.name = "said", .primary_key = "n", .migrations = {"CREATE TABLE said(n INTEGER PRIMARY KEY, who TEXT, what TEXT)"}}};
        d.methods = {{.name = "sample.count", .role = "viewer", .verb = "GET", .path = "/api/v1/said"},
                     {.name = "sample.forget", .role = "operator", .audit = true}, {.name = "sample.later"}};
        d.routes = {{.verb = "GET", .path = "/said/{who}"}};
        d.metrics = {{.name = "airmail_sample_said_total", .help = "Messages \"said\".\n"}};
        d.ready_topic = "devices/{id}/command";
        return d;
    }

    void configure() override {
        if (ctx.option("mood") == "bad") throw std::runtime_error("mood: \"bad\" is not allowed, use good");
    }
    void start() override {
        ctx.timer(1, ctx.now() + 1000);
        // Commands whose row was committed but which may not have left: the same again, with the same id.
        for (auto const& r : ctx.sql("SELECT n FROM said WHERE what = 'command' ORDER BY n")) send(std::get<std::int64_t>(r[0]));
    }
    verdict message(message_view const& m) override {
        ctx.sql("INSERT INTO said(who, what) VALUES(?, ?)", {std::string{m.identity}, std::string{m.payload}});
        ctx.metric_add("airmail_sample_said_total", 1);
        if (m.payload == "boom") throw std::runtime_error("it exploded");
        if (m.payload == "odd") throw 7;
        if (m.payload == "no") return verdict::refuse;
        if (m.payload == "command") send(ctx.sql("SELECT max(n) FROM said").at(0).at(0).index() == 1 ? last() : 0);
        if (m.payload == "syntax") ctx.sql("SELEC 1");
        return verdict::ok;
    }
    void session(session_view const& s) override {
        ctx.sql("INSERT INTO said(who, what) VALUES(?, ?)", {std::string{s.identity}, s.change == session_change::ready ? "ready" : "gone"});
    }
    void tick(std::uint64_t timer_id, instant now) override {
        ticks.emplace_back(timer_id, now);
        if (timer_id == 1) ctx.timer(1, now + 1000);
    }
    void method(call_view const& c) override {
        if (c.method == "sample.count")
            return ctx.reply(c.handle, 200, "{\"count\":" + std::to_string(last_count()) + "}");
        if (c.method == "sample.later") return void(held = c.handle);
        ctx.sql("DELETE FROM said");
        ctx.reply(c.handle, 200, "{}");
        if (c.params == R"({"then":"throw"})") throw std::runtime_error("after the reply");
    }
    void http(http_view const& r) override {
        if (held) ctx.reply(std::exchange(held, 0), 200, "\"late\"");
        ctx.reply(r.handle, http_reply{.content_type = "text/plain", .body = std::string{r.path}});
    }
    verdict connect(std::string_view, std::string_view user, std::string_view password, std::string_view, std::uint64_t h) override {
        if (user == "slow") return verdict::defer;
        if (user == "role") return ctx.answer_connect(h, verdict::ok, "operator"), verdict::defer;
        return password == "good" ? verdict::ok : verdict::refuse;
    }
    void committed() override { ++commits; }

    std::vector<std::pair<std::uint64_t, instant>> ticks;
    std::uint64_t held = 0;
    int commits = 0;

private:
    std::int64_t last() { return std::get<std::int64_t>(ctx.sql("SELECT max(n) FROM said").at(0).at(0)); }
    std::int64_t last_count() { return std::get<std::int64_t>(ctx.sql("SELECT count(*) FROM said").at(0).at(0)); }
    void send(std::int64_t n) {
        auto id = "cmd-" + std::to_string(n);
        ctx.publish({.topic = "devices/dev-1/command", .payload = id, .correlation_data = id});
    }
};

/// Asks the sample, to try calls between plugins.
class asker : public plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "test.asker"; }
    static declaration declare() {
        declaration d;
        d.topics = {{.filter = "ask/+"}};
        d.after = {"test.sample"};
        return d;
    }
    verdict message(message_view const& m) override {
        ctx.call(m.topic.substr(4), m.payload, [this, m](int status, std::string_view json) {
            answers.push_back(std::to_string(status) + " " + std::string{json});
            if (m.payload == R"({"done":"throw"})") throw std::runtime_error("in the answer");
        });
        return verdict::ok;
    }
    std::vector<std::string> answers;
};

}
