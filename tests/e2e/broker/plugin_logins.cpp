// A shared object that decides logins, in a whole broker: on its own thread with a time limit, or on the shard (plugin_inline).

#include "tests/e2e/broker/house.hpp"

#include <fcntl.h>
#include <future>
#include <sys/stat.h>

using namespace airmail::testing;

namespace {

std::string const loaded = std::string("listener {plain} 127.0.0.1\nallow_anonymous true\nairmail_plugin ") + LOGIN_PLUGIN + "\nplugin_opt_gate {dir}/gate\n";

/// success = let in, else why not.
reason log_in(blocking_client& c, broker_process const& d, std::string const& user, std::string const& password = "x") {
    auto o = plain_options(d, "client of " + user);
    o.user_name = user, o.password = password;
    if (c.connect(o)) return reason::success;
    return c.closed() ? c.closed()->code : reason::unspecified_error;
}

}

TEST_CASE("plugin_inline true: the plugin is asked on the shard, and what it says counts") {
    broker_process d{loaded + "plugin_inline true\nplugin_refuse_grant publish fixture/+\nplugin_refuse_grant publish fixture/b\n"};
    up(d);
    blocking_client a, b, c, e;
    CHECK(log_in(a, d, "inline only") == reason::success);
    CHECK(log_in(b, d, "anybody", "good") == reason::success);
    CHECK(log_in(c, d, "anybody", "bad") == reason::bad_user_name_or_password);
    CHECK(log_in(e, d, "defers") == reason::success);   // asked again on its own thread
    CHECK(d.metric("airmail_host_inline_logins_total{lane=\"test.porter\"}") == 4);
    CHECK(d.says("grant refused by configuration: device may publish fixture/+"));
    CHECK(d.says("grant refused by configuration: device may publish fixture/b"));
}

TEST_CASE("without plugin_inline a hook that blocks holds up no other client, and its login is refused when the time is up") {
    broker_process d{loaded};
    REQUIRE(::mkfifo((d.dir() / "gate").c_str(), 0600) == 0);
    up(d);
    blocking_client a, b, other;
    CHECK(log_in(a, d, "inline only") == reason::bad_user_name_or_password);   // it knows that it is not
    CHECK(log_in(other, d, "anybody", "good") == reason::success);
    auto waits = std::async(std::launch::async, [&] { return log_in(b, d, "hang"); });
    for (int i = 0; i < 20; ++i) REQUIRE(other.publish({.topic = "t", .payload = "x", .qos = 1}).has_value());
    CHECK(waits.wait_for(0s) != std::future_status::ready);
    CHECK(waits.get() == reason::bad_user_name_or_password);
    CHECK(d.says("login of hang refused: no plugin answered in time"));
    CHECK(d.metric("airmail_host_inline_logins_total{lane=\"test.porter\"}") == 0);
}
