// A plugin in C++: whoever says hello on greetings/<name> is counted in a table and answered on greetings/<name>/answer.
#include <plugins/sdk/plugin.hpp>

namespace sdk = airmail::sdk;

class hello final : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "example.hello"; }

    static sdk::declaration declare() {
        sdk::declaration d;
        d.topics = {{.filter = "greetings/{id}", .role = "device"},
                    {.filter = "greetings/{id}/answer", .dir = sdk::direction::down}};
        d.tables = {{.name = "greetings", .primary_key = "name",
                     .migrations = {"CREATE TABLE greetings(name TEXT PRIMARY KEY NOT NULL, times INTEGER NOT NULL)"}}};
        d.methods = {{.name = "hello.times", .role = "viewer", .verb = "GET", .path = "/api/v1/greetings/{name}", .doc = "How often somebody said hello"}};
        d.metrics = {{.name = "airmail_hello_greetings_total", .help = "Greetings received."}};
        return d;
    }

    void configure() override {
        word_ = ctx.option("word");
        if (word_.empty()) word_ = "Hello";
        if (word_.size() > 100) throw std::runtime_error("plugin_opt_word: longer than 100 bytes, choose a shorter greeting");
    }

    sdk::verdict message(sdk::message_view const& m) override {
        std::string name{m.identity};
        // Given again after a crash this counts once more: a greeting may. Use m.lsn where it must not.
        ctx.sql("INSERT INTO greetings VALUES(?, 1) ON CONFLICT(name) DO UPDATE SET times = times + 1", {name});
        ctx.metric_add("airmail_hello_greetings_total", 1);
        ctx.publish({.topic = "greetings/" + name + "/answer", .payload = word_ + ", " + name + "!", .content_type = "text/plain"});
        return sdk::verdict::ok;
    }

    void method(sdk::call_view const& c) override {
        auto rows = ctx.sql("SELECT json_object('name', name, 'times', times) FROM greetings WHERE name = json_extract(?, '$.name')",
                            {std::string{c.params}});
        if (rows.empty()) return ctx.reply(c.handle, 404, R"({"code":"hello.not_found"})");
        ctx.reply(c.handle, 200, std::get<std::string>(rows[0][0]));
    }

private:
    std::string word_;
};

AIRMAIL_PLUGIN(hello)
