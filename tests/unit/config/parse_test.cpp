#include "broker/config/parse.hpp"
#include "broker/config/check.hpp"
#include "broker/config/limits.hpp"
#include "broker/config/logging.hpp"
#include "broker/config/reload.hpp"

#include <doctest/doctest.h>
#include <map>

using namespace airmail;
using namespace std::chrono_literals;
using config::parse_text;

namespace {

std::string complaints(config::config const& c) {
    std::string out;
    for (auto const& f : c.findings()) out += f.str() + '\n';
    return out;
}
bool says(config::config const& c, std::string_view what) { return complaints(c).find(what) != std::string::npos; }

/// A file system in a map.
config::config parse_files(std::map<std::string, std::string> files, std::vector<std::string> names) {
    config::sources s;
    s.files = std::move(names);
    s.read = [&](std::string const& p, std::string& why) -> std::optional<std::string> {
        if (auto at = files.find(p); at != files.end()) return at->second;
        why = "No such file or directory";
        return std::nullopt;
    };
    s.names = [&](std::string const& dir, std::string&) -> std::optional<std::vector<std::string>> {
        std::vector<std::string> out;
        for (auto const& [p, _] : files)
            if (p.starts_with(dir + "/")) out.push_back(p.substr(dir.size() + 1));
        return out;
    };
    return parse(s);
}

constexpr char device[] = "listener 8883\ndevice_listener true\ncafile ca\ncertfile c\nkeyfile k\n";

}

TEST_CASE("an empty file listens on loopback and lets anybody in, as Mosquitto does") {
    auto const c = parse_text("# nothing\n\n");
    CHECK(complaints(c) == "");
    REQUIRE(c.listeners().size() == 1);
    auto const& l = c.listeners()[0];
    CHECK(l.port == 1883);
    CHECK(l.local_only);
    CHECK(l.allow_anonymous());
    CHECK(!l.device());
    CHECK(l.name() == "localhost:1883");
}

TEST_CASE("keys after a listener belong to it, and any listener ends anonymous access") {
    auto const c = parse_text("listener 1883 127.0.0.1\nmax_connections 5\nlistener 9001 127.0.0.1\nprotocol websockets\n");
    CHECK(complaints(c) == "");
    REQUIRE(c.listeners().size() == 2);
    CHECK(c.listeners()[0].number("max_connections") == 5);
    CHECK(c.listeners()[0].protocol() == "mqtt");
    CHECK(c.listeners()[1].number("max_connections") == -1);
    CHECK(c.listeners()[1].protocol() == "websockets");
    CHECK(!c.listeners()[0].allow_anonymous());
}

TEST_CASE("listener keys before any listener make the default listener on 1883") {
    auto const c = parse_text("bind_address 127.0.0.1\nallow_anonymous true\nlistener 8884 ::1\n");
    CHECK(complaints(c) == "");
    REQUIRE(c.listeners().size() == 2);
    CHECK(c.listeners()[0].name() == "127.0.0.1:1883");
    CHECK(c.listeners()[1].name() == "[::1]:8884");
    CHECK(c.listeners()[1].allow_anonymous());
    CHECK(parse_text("port 1999\n").listeners()[0].port == 1999);
}

TEST_CASE("allow_anonymous is global wherever it stands, unless per_listener_settings") {
    auto const global = parse_text("listener 1 ::1\nallow_anonymous true\nlistener 2 ::1\n");
    CHECK(global.listeners()[0].allow_anonymous());
    CHECK(global.listeners()[1].allow_anonymous());
    auto const own = parse_text("per_listener_settings true\nlistener 1 ::1\nallow_anonymous true\nacl_file a\nlistener 2 ::1\n");
    CHECK(own.listeners()[0].allow_anonymous());
    CHECK(own.listeners()[0].text("acl_file") == "a");
    CHECK(!own.listeners()[1].allow_anonymous());
    CHECK(own.listeners()[1].text("acl_file") == "");
    CHECK(says(parse_text("listener 1 ::1\nper_listener_settings true\n"), "must come before the first listener"));
}

TEST_CASE("a unix socket is listener 0 PATH; a port must be a port") {
    CHECK(parse_text("listener 0 /run/a b\n").listeners()[0].unix_path == "/run/a b");
    CHECK(says(parse_text("listener 0 /run/a\nairmail_unix_mode 0999\n"), "expected an octal mode such as 0660"));
    CHECK(says(parse_text("listener 0 /run/a\nbind_interface lo\n"), "bind_interface has no meaning for a unix socket"));
    for (auto const* wrong : {"listener", "listener 0", "listener 65536", "listener -1", "listener x", "listener 12x"})
        CHECK_MESSAGE(says(parse_text(wrong), "airmail.conf:1: error: listener: expected PORT"), wrong);
    CHECK(says(parse_text("listener 1 ::1\nlistener 1 ::1\n"), "is configured twice"));
}

TEST_CASE("an unknown directive is an error with its place and the nearest known name") {
    auto const c = parse_text("\nlistner 1883\n");
    CHECK(!c.ok());
    CHECK(says(c, "airmail.conf:2: error: unknown directive \"listner\"; did you mean \"listener\"?"));
    CHECK(says(parse_text("ota_probtaion 1m"), "did you mean \"ota_probation\"?"));
    CHECK(says(parse_text("zzzzqqqq 1"), "unknown directive \"zzzzqqqq\"\n"));
}

TEST_CASE("a wrong value says what was expected") {
    CHECK(says(parse_text("max_connections many"), "max_connections: expected a whole number from -1 to 10000000, got \"many\""));
    CHECK(says(parse_text("persistence maybe"), "persistence: expected true or false, got \"maybe\""));
    CHECK(says(parse_text("ota_probation 10 parsecs"), "expected a duration such as 15m"));
    CHECK(says(parse_text("limit_jwt_life 2d"), "limit_jwt_life: expected from 60s to 86400s, got \"2d\""));
    CHECK(says(parse_text("limit_packet -1"), "expected a size such as 4MiB"));
    CHECK(says(parse_text("store_durability perhaps"), "expected one of: durable memory"));
    CHECK(says(parse_text("certfile"), "certfile: expected a value, got nothing"));
    CHECK(says(parse_text("log_dest printer"), "expected stderr, stdout"));
    CHECK(says(parse_text("ota_phase_success 101"), "expected a whole number from 0 to 100"));
    CHECK(says(parse_text(std::string_view{"port 1\0 2", 9}), "NUL byte"));
}

TEST_CASE("blanks, carriage returns and hash signs are read as Mosquitto reads them") {
    auto const c = parse_text("  listener 1883 127.0.0.1  \r\nacl_file /a b/c #d\r\n#x\n");
    CHECK(complaints(c) == "");
    CHECK(c.listeners()[0].address == "127.0.0.1");
    CHECK(c.text("acl_file") == "/a b/c #d");
}

TEST_CASE("later files, then environment, then command line win") {
    config::sources s;
    s.files = {"a", "b"};
    s.read = [](std::string const& p, std::string&) -> std::optional<std::string> {
        return p == "a" ? "shard_count 1\nota_probation 1m\nlimit_packet 1KiB\nlog_dest syslog\n" : "shard_count 2\nota_probation 2m\n";
    };
    s.environment = {{"AIRMAIL_OTA_PROBATION", "3m"}, {"AIRMAIL_LOG_DEST", "stdout"}, {"AIRMAIL_NONSENSE", "1"}, {"PATH", "x"}};
    s.command_line = {{"limit_packet", "7KiB"}};
    auto const c = parse(s);
    CHECK(c.ok());
    CHECK(says(c, "(environment): warning: AIRMAIL_NONSENSE is not a directive's name"));
    CHECK(c.number("shard_count") == 2);
    CHECK(c.duration("ota_probation") == 3min);
    CHECK(c.size("limit_packet") == 7168);
    CHECK(c.list("log_dest") == std::vector<std::string>{"stdout"});
    CHECK(c.where("shard_count") == "b:1");
    CHECK(c.where("ota_resends") == "default");
    s.command_line = {{"certfile", "x"}, {"nonsense", "1"}};
    CHECK(says(parse(s), "certfile belongs to a listener"));
}

TEST_CASE("-p opens loopback ports unless a file has a listener") {
    config::sources s;
    s.ports = {1884, 1885};
    auto const c = parse(s);
    REQUIRE(c.listeners().size() == 2);
    CHECK(c.listeners()[1].port == 1885);
    CHECK(c.listeners()[1].local_only);
    s.ports.assign(11, 1);
    CHECK(!parse(s).ok());
}

TEST_CASE("include_dir reads *.conf in Mosquitto's order, each file on its own, main file only") {
    auto const c = parse_files({{"m", "listener 1 ::1\ninclude_dir d\nmax_connections 9\n"}, {"d/b.conf", "shard_count 4\n"}, {"d/B.conf", "shard_count 3\n"},
                                {"d/a.conf", "shard_count 2\n"}, {"d/A.conf", "shard_count 1\n"}, {"d/x.txt", "nonsense\n"}}, {"m"});
    CHECK(complaints(c) == "");
    CHECK(c.files() == std::vector<std::string>{"m", "d/A.conf", "d/a.conf", "d/B.conf", "d/b.conf"});
    CHECK(c.number("shard_count") == 4);
    CHECK(c.listeners()[0].number("max_connections") == 9);
    CHECK(says(parse_files({{"m", "include_dir d\n"}, {"d/a.conf", "include_dir d\n"}}, {"m"}), "d/a.conf:1: error: include_dir may stand in the main file only"));
    CHECK(says(parse_files({}, {"gone"}), "gone: error: cannot be read: No such file"));
}

TEST_CASE("a directive that security rests on is refused rather than ignored") {
    for (auto const* line : {"plugin /x.so", "auth_plugin /x.so", "tls_engine pkcs11", "http_dir /x"})
        CHECK_MESSAGE(!parse_text(line).ok(), line);
    CHECK(parse_text("listener 1 ::1\nenable_proxy_protocol 0\n").ok());
    auto const c = parse_text("plugin /x.so\nplugin_opt_file y\n");
    CHECK(c.findings().size() == 1);
    CHECK(says(c, "plugin: Airmail does not do this yet, and security rests on it"));
}

TEST_CASE("what is known but not obeyed is told once") {
    auto const c = parse_text("autosave_interval 5\nautosave_interval 6\n");
    CHECK(c.ok());
    CHECK(says(c, "autosave_interval is accepted and ignored"));
    CHECK(!says(c, "\"d\""));
    CHECK(!parse_text("address h\n").ok());
}

TEST_CASE("plugins carry their options") {
    auto const c = parse_text("airmail_plugin campaign\nplugin_opt_rate 5\nairmail_plugin /x/y.so\nplugin_refuse_grant a/#\nplugin_refuse_grant b\n");
    CHECK(complaints(c) == "");
    REQUIRE(c.plugins().size() == 2);
    CHECK(c.plugins()[0].options.at("rate") == "5");
    CHECK(!c.plugins()[0].is_path());
    CHECK(c.plugins()[1].is_path());
    auto const inlined = parse_text("airmail_plugin /x/y.so\nplugin_inline true\n");
    CHECK(inlined.plugins()[0].options.at("plugin_inline") == "true");
    CHECK_FALSE(says(inlined, "plugin_inline"));
    CHECK(c.plugins()[1].options.at("plugin_refuse_grant") == "a/#\nb");
    CHECK(!parse_text("plugin_opt_x 1\n").ok());
}

TEST_CASE("a device listener needs certificates and refuses the anonymous") {
    CHECK(complaints(parse_text(device)) == "");
    auto const c = parse_text(device);
    CHECK(c.listeners()[0].device());
    CHECK(c.listeners()[0].flag("require_certificate"));
    CHECK(c.listeners()[0].text("tls_version") == "tlsv1.3");
    CHECK(says(parse_text("listener 8883\ndevice_listener true\n"), "device_listener needs certfile and keyfile"));
    CHECK(says(parse_text(std::string{device} + "require_certificate false\n"), "require_certificate cannot be false"));
    CHECK(says(parse_text(std::string{device} + "allow_anonymous true\n"), "allow_anonymous cannot be true"));
    CHECK(says(parse_text(std::string{device} + "tls_version tlsv1.2\n"), "warning: listener 8883: tls_version tlsv1.2"));
    CHECK(says(parse_text(std::string{device} + "tls_version tlsv1\n"), "too weak"));
    auto const all = parse_text("device_listener true\nlistener 8883\ncafile ca\ncertfile c\nkeyfile k\n");
    CHECK(all.listeners()[0].device());
}

TEST_CASE("risks of a Mosquitto listener are warned about; strict makes them errors") {
    std::string const open = "listener 1883\nallow_anonymous true\n";
    auto const c = parse_text(open);
    CHECK(c.ok());
    CHECK(c.findings().size() == 3);
    CHECK(says(c, "warning: listener 1883: plain text"));
    CHECK(!parse_text(open + "strict true\n").ok());
    CHECK(parse_text("listener 1883 127.0.0.1\n").findings().empty());
}

TEST_CASE("limits depend on the listener's kind, and a written Mosquitto directive wins") {
    auto const device_limits = config::limits_of(parse_text(device).listeners()[0]);
    CHECK(device_limits.topic_length == 512);
    CHECK(device_limits.packet == 256 * 1024);
    CHECK(device_limits.keepalive_s == 1200);
    CHECK(!device_limits.refuse_v3_keepalive);
    CHECK(device_limits.filters == 64);
    CHECK(device_limits.session_expiry_s == 7 * 86400);
    auto const plain = config::limits_of(parse_text("listener 1 ::1\n").listeners()[0]);
    CHECK(plain.topic_length == 65535);
    CHECK(plain.packet == 2 * 1024 * 1024);
    CHECK(plain.retained_per_identity == 25000);
    CHECK(plain.keepalive_s == 3600);
    CHECK(!plain.refuse_v3_keepalive);
    CHECK(plain.session_expiry_s == UINT32_MAX);
    CHECK(plain.receive_maximum_out == 20);
    CHECK(plain.connections == 0);
    auto const asked = config::limits_of(parse_text("max_packet_size 1000000\nmax_inflight_messages 0\nmax_queued_messages 0\nmax_keepalive 60\n"
                                                    "persistent_client_expiration 2m\nlistener 1 ::1\nmax_qos 1\nlimit_topic_levels 5\nmax_connections 3\n").listeners()[0]);
    CHECK(asked.packet == 1000000);
    CHECK(asked.receive_maximum_out == 65535);
    CHECK(asked.queue_messages == 0);
    CHECK(asked.keepalive_s == 60);
    CHECK(asked.refuse_v3_keepalive);
    CHECK(asked.session_expiry_s == 60 * 86400);
    CHECK(asked.maximum_qos == 1);
    CHECK(asked.topic_levels == 5);
    CHECK(asked.connections == 3);
}

TEST_CASE("what is written twice in one file is pointed out") {
    CHECK(says(parse_text("shard_count 1\nshard_count 2\n"), "airmail.conf:2: warning: shard_count is written twice"));
    CHECK(parse_text("maximum_qos 1\n").listeners()[0].number("max_qos") == 1);
}

TEST_CASE("asking for a setting that does not exist, or as another type, is a bug") {
    auto const c = parse_text("");
    CHECK_THROWS_AS(c.flag("no_such"), std::logic_error);
    CHECK_THROWS_AS(c.number("persistence"), std::logic_error);
    CHECK_THROWS_AS(c.list("persistence"), std::logic_error);
}

TEST_CASE("log directives become destinations and a level") {
    auto o = config::log_options(parse_text(""), false, false, {});
    CHECK(o.least == log::level::info);
    REQUIRE(o.to.size() == 1);
    CHECK(o.to[0].kind == log::destination::type::err);
    o = config::log_options(parse_text("log_dest file /var/log/a b\nlog_dest syslog\nlog_dest topic\nlog_type error\nlog_type warning\nlog_format json\n"), false, false, {});
    CHECK(o.least == log::level::warn);
    CHECK(o.as == log::format::json);
    CHECK(o.only == std::vector{log::level::error, log::level::warn});
    CHECK(config::log_options(parse_text("log_type error\nlog_type information\n"), false, false, {}).only == std::vector{log::level::error, log::level::info});
    CHECK(config::log_options(parse_text("log_type none\n"), false, false, {}).only == std::vector{log::level::off});
    REQUIRE(o.to.size() == 2);
    CHECK(o.to[0].path == "/var/log/a b");
    CHECK(config::log_options(parse_text("log_dest none\n"), true, false, {}).to.empty());
    CHECK(config::log_options(parse_text(""), false, true, {}).to.empty());
}

TEST_CASE("a reload says what changes now and what needs a restart") {
    auto const before = parse_text("ota_probation 1m\nshard_count 1\nlistener 1 ::1\nmax_connections 1\nlistener 2 ::1\nairmail_plugin a\n");
    auto const after = parse_text("shard_count 2\nlistener 1 ::1\nmax_connections 2\nlistener 3 ::1\nairmail_plugin a\nplugin_opt_x 1\n");
    std::map<std::string, bool> seen;
    for (auto const& c : config::differences(before, after)) seen[c.place + '/' + c.name + ' ' + c.before + '>' + c.after] = c.now;
    CHECK(seen == std::map<std::string, bool>{{"/ota_probation 1m>10m", false}, {"/shard_count 1>2", false}, {"[::1]:1/max_connections 1>2", true},
                                              {"[::1]:2/listener [::1]:2>", false}, {"[::1]:3/listener >[::1]:3", false},
                                              {"a/airmail_plugin a>", false}, {"a/airmail_plugin >a x=1", false}});
    CHECK(config::differences(before, before).empty());
}

TEST_CASE("a missing key file is an error that says where it was set") {
    auto const all = config::check_files(parse_text(device));
    REQUIRE(all.size() == 3);
    CHECK(all[2].weight == config::finding::grade::error);
    CHECK(all[2].text == "listener 8883: keyfile k: No such file or directory (set at airmail.conf:5)");
}

TEST_CASE("who speaks for others is said in one place, and a device listener must say it") {
    CHECK(says(parse_text("listener 1883\nenable_proxy_protocol 2\n"), "warning: listener 1883: enable_proxy_protocol without airmail_proxy_from"));
    CHECK(says(parse_text("listener 1883\nenable_proxy_protocol 1\nproxy_protocol_v2_require_tls true\n"), "version 1 of the PROXY protocol does not tell"));
    CHECK(says(parse_text("listener 1883\nproxy_protocol_v2_require_tls true\n"), "needs enable_proxy_protocol 2"));
    CHECK(says(parse_text("listener 8883\ndevice_listener true\nenable_proxy_protocol 2\n"), "needs airmail_proxy_from on a device listener"));
    auto const behind = "listener 8883 127.0.0.1\ndevice_listener true\nenable_proxy_protocol 2\nairmail_proxy_from 10.0.0.0/8\n";
    CHECK(says(parse_text(behind), "needs device_identity cn"));
    CHECK(says(parse_text(behind), "needs proxy_protocol_v2_require_tls true"));
    CHECK(parse_text(std::string{behind} + "device_identity cn\nproxy_protocol_v2_require_tls true\n").ok());
}

TEST_CASE("files are not served by a WebSocket listener, and it says so") {
    CHECK(says(parse_text("listener 9001 127.0.0.1\nprotocol websockets\nhttp_dir /var/www\n"), "http_dir"));
    CHECK_FALSE(parse_text("listener 9001 127.0.0.1\nprotocol websockets\nhttp_dir /var/www\n").ok());
}

TEST_CASE("mount_point and disable_client_cert_date_checks: wrong ones are refused, risky ones are told") {
    auto const one = [](std::string const& lines) { return parse_text("listener 1 127.0.0.1\nallow_anonymous true\n" + lines); };
    CHECK(one("mount_point site/\n").ok());
    CHECK(says(one("mount_point site\n"), "mount_point does not end with /"));
    CHECK(says(one("mount_point a/+/\n"), "mount_point: expected the beginning of topics, without + and #"));
    CHECK(says(one("mount_point $SYS/\n"), "mount_point must not begin with $"));
    std::string const device = "device_listener true\ncertfile c\nkeyfile k\ncafile a\n";
    CHECK(says(parse_text("listener 1 127.0.0.1\n" + device + "mount_point a/\n"), "mount_point has no place on a device listener"));
    CHECK(says(parse_text("listener 1 127.0.0.1\n" + device + "disable_client_cert_date_checks true\n"), "is not for device listeners"));
    CHECK(says(one("certfile c\nkeyfile k\ncafile a\nrequire_certificate true\ndisable_client_cert_date_checks true\n"), "clients come in with certificates that have expired"));
}
