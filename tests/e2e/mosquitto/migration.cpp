// A real Mosquitto, started here with sessions, retained and queued messages, stopped, brought over; then its own clients go
// on where they were, against airmaild.

#include "tests/e2e/mosquitto/pair.hpp"

#include <map>

using namespace airmail::testing;
using airmail::codec::version;

namespace {

std::string read_file(std::string const& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

outcome migrate(std::string const& conf, std::vector<std::string> more = {}) {
    std::vector<std::string> args{AIRMAILCTL, "migrate", "mosquitto", "--conf", conf};
    args.insert(args.end(), more.begin(), more.end());
    return run(args);
}

/// mosquitto and then airmaild in one folder, on one configuration.
struct moved {
    temp_dir dir;
    std::uint16_t port = 0;
    std::string text;
    daemon_process theirs{daemon_process::kind::mosquitto, dir.path()};

    void start(std::string const& more) {
        for (int tries = 0; tries < 5; ++tries) {
            port = port_free_now();
            text = "user root\nlistener " + std::to_string(port) + " 127.0.0.1\npersistence true\npersistence_location " + dir.path() + "/\n" + filled(more, {{"{dir}", dir.path()}});
            if (theirs.start(text, port)) return;
            REQUIRE_MESSAGE(theirs.said().find("in use") != std::string::npos, theirs.said());
        }
    }
    std::string conf() const { return dir / "mosquitto.conf"; }
};

/// airmaild in the folder that migrate filled (persistence_location's), not in one of the test's own.
struct ours {
    ours(std::string const& conf, std::string const& folder, std::uint16_t port) : folder_(folder) {
        write_file(folder + "/more.conf", "store_map_size 1GiB\nlimit_disk_refuse 0\nlimit_disk_readonly 0\nmetrics_port 0\ncontrol_socket " + folder + "/control.sock\n");
        int const log = ::open((folder + "/airmail.log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        child_ = spawn({AIRMAILD, "-c", conf, "-c", folder + "/more.conf"}, log);
        ::close(log);
        REQUIRE_MESSAGE(eventually([&] { return accepts(port) || ::waitpid(child_, nullptr, WNOHANG) == child_; }), said());
        REQUIRE_MESSAGE(accepts(port), said());
    }
    ~ours() {
        ::kill(child_, SIGKILL);
        ::waitpid(child_, nullptr, 0);
    }
    std::string said() const { return read_file(folder_ + "/airmail.log"); }
    bool says(std::string_view words) const {
        return eventually([&] { return said().find(words) != std::string::npos; });
    }

private:
    std::string folder_;
    pid_t child_;
};

connect_options durable(std::uint16_t port, std::string const& id, version v = version::v5, std::string const& user = {}, std::string const& password = {}) {
    auto o = to_port(port, id, user, password, v);
    o.clean_start = false;
    if (v == version::v5) o.session_expiry = 0xFFFFFFFF;
    return o;
}

}

TEST_CASE("after a migration Mosquitto's own clients find their sessions, what waited for them, and what was retained") {
    if (!mosquitto_installed()) { MESSAGE("mosquitto is not installed"); return; }
    moved m;
    run({"mosquitto_passwd", "-c", "-b", m.dir / "users", "alice", "secret"});
    write_file(m.dir / "rules", "user alice\ntopic readwrite #\n");
    m.start("password_file {dir}/users\nacl_file {dir}/rules\n");
    auto const as_alice = [&](std::string const& id, version v = version::v5) { return durable(m.port, id, v, "alice", "secret"); };
    {
        blocking_client five, three, pub;
        REQUIRE(five.connect(as_alice("five")).has_value());
        airmail::client::subscription const with_id{.filter = "a/#", .qos = 1};
        REQUIRE(five.subscribe(std::span{&with_id, 1}, 7).has_value());
        REQUIRE(three.connect(as_alice("three", version::v311)).has_value());
        REQUIRE(three.subscribe("a/+", 2).has_value());
        five.drop(), three.drop();
        REQUIRE(pub.connect(to_port(m.port, "pub", "alice", "secret")).has_value());
        std::vector<airmail::client::user_property> const props{{"k", "v"}};
        for (int i = 0; i < 30; ++i) REQUIRE(pub.publish({.topic = "a/b", .payload = std::to_string(i), .qos = 1, .message_expiry = 86400, .user_properties = props}).has_value());
        REQUIRE(pub.publish({.topic = "a/two", .payload = "exactly once", .qos = 2}).has_value());
        REQUIRE(pub.publish({.topic = "r/kept", .payload = "retained", .qos = 1, .retain = true, .content_type = "text/plain"}).has_value());
        REQUIRE(pub.publish({.topic = "r/gone", .payload = "x", .qos = 1, .retain = true}).has_value());
        REQUIRE(pub.publish({.topic = "r/gone", .payload = "", .qos = 1, .retain = true}).has_value());
    }
    m.theirs.end(SIGTERM);
    auto const look = migrate(m.conf(), {"--dry-run"});
    CHECK_MESSAGE(look.code == 0, look.text);
    CHECK(!std::filesystem::exists(m.dir / "airmail"));
    auto const db = read_file(m.dir / "mosquitto.db");
    auto const done = migrate(m.conf());
    REQUIRE_MESSAGE(done.code == 0, done.text);
    CHECK(done.text.find("2 sessions, 2 subscriptions, 1 retained messages, 62 waiting messages") != std::string::npos);
    CHECK(done.text.find("1 users with their passwords") != std::string::npos);
    auto const again = migrate(m.conf());
    CHECK(again.code == 0);
    CHECK(again.text.find("is in the store already; nothing to do") != std::string::npos);
    CHECK(read_file(m.dir / "mosquitto.db") == db);

    ours broker{m.conf(), m.dir.path(), m.port};
    for (auto const v : {version::v5, version::v311}) {
        blocking_client c;
        auto const hello = c.connect(as_alice(v == version::v5 ? "five" : "three", v));
        REQUIRE_MESSAGE(hello.has_value(), broker.said());
        CHECK(hello->session_present);
        for (int i = 0; i < 30; ++i) {
            auto const got = c.receive();
            REQUIRE_MESSAGE(got.has_value(), i << broker.said());
            CHECK(got->payload == std::to_string(i));
            if (v != version::v5) continue;
            CHECK(got->user_properties == std::vector<airmail::client::user_property>{{"k", "v"}});
            CHECK(got->subscription_ids == std::vector<std::uint32_t>{7});
            CHECK(got->message_expiry.value_or(0) > 86000);
        }
        auto last = c.receive();
        // QoS 2 is handed over after its PUBREL: what the first client published below may come before it.
        if (v != version::v5 && last && last->payload == "new") last = c.receive();
        REQUIRE(last.has_value());
        CHECK(last->payload == "exactly once");
        CHECK(last->qos == (v == version::v5 ? 1 : 2));
        // The subscription is there too.
        REQUIRE(c.publish({.topic = "a/new", .payload = "new", .qos = 1}).has_value());
        CHECK(c.receive()->payload == "new");
    }
    blocking_client fresh;
    REQUIRE(fresh.connect(to_port(m.port, "fresh", "alice", "secret")).has_value());
    REQUIRE(fresh.subscribe("r/#", 1).has_value());
    auto const kept = fresh.receive();
    REQUIRE(kept.has_value());
    CHECK(kept->topic == "r/kept");
    CHECK(kept->payload == "retained");
    CHECK(kept->content_type == "text/plain");
    CHECK(kept->retain);
    CHECK(fresh.waiting() == 0);
}

TEST_CASE("dynamic security becomes our rules, a line per role, and its users log in; $CONTROL is refused in plain words") {
    if (!mosquitto_installed()) { MESSAGE("mosquitto is not installed"); return; }
    std::string const plugin = "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so";
    if (::access(plugin.c_str(), R_OK) != 0) { MESSAGE("no dynamic security plugin"); return; }
    moved m;
    REQUIRE(run({"mosquitto_ctrl", "dynsec", "init", m.dir / "dynsec.json", "admin", "pw"}).code == 0);
    m.start("plugin " + plugin + "\nplugin_opt_config_file {dir}/dynsec.json\n");
    auto const ctrl = [&](std::vector<std::string> args) {
        args.insert(args.begin(), {"mosquitto_ctrl", "-h", "127.0.0.1", "-p", std::to_string(m.port), "-u", "admin", "-P", "pw", "dynsec"});
        auto const o = run(args);
        REQUIRE_MESSAGE(o.code == 0, o.text);
    };
    ctrl({"createRole", "sensor"});
    ctrl({"addRoleACL", "sensor", "publishClientSend", "data/#", "allow"});
    ctrl({"addRoleACL", "sensor", "subscribePattern", "orders/#", "allow"});
    ctrl({"createClient", "bob", "-p", "word"});
    ctrl({"addClientRole", "bob", "sensor"});
    m.theirs.end(SIGTERM);
    auto const done = migrate(m.conf());
    REQUIRE_MESSAGE(done.code == 0, done.text);
    CHECK(done.text.find("role sensor: 2 rules") != std::string::npos);
    auto const conf = m.dir / "airmail/mosquitto.conf";
    auto const rules = read_file(m.dir / "airmail/acl");
    CHECK(rules.find("user bob\n# role sensor\n") != std::string::npos);
    ours broker{conf, m.dir.path(), m.port};
    blocking_client bob, wrong;
    CHECK_FALSE(wrong.connect(to_port(m.port, "w", "bob", "wrong")).has_value());
    REQUIRE_MESSAGE(bob.connect(to_port(m.port, "b", "bob", "word")).has_value(), broker.said());
    CHECK(bob.subscribe("orders/#", 1).value().at(0) == reason::granted_qos_1);
    CHECK(bob.subscribe("secret/#", 1).value().at(0) == reason::not_authorized);
    CHECK(!airmail::codec::failed(bob.publish({.topic = "data/x", .payload = "1", .qos = 1}).value()));
    CHECK(bob.publish({.topic = "other", .payload = "1", .qos = 1}).value() == reason::not_authorized);
    auto const asked = run({"mosquitto_ctrl", "-h", "127.0.0.1", "-p", std::to_string(m.port), "-u", "admin", "-P", "pw", "dynsec", "listClients"});
    // Debian's mosquitto_ctrl shows the reason code alone; the log has the words.
    CHECK_MESSAGE(asked.text.find("Not authorized") != std::string::npos, asked.text);
    CHECK_MESSAGE(broker.says("a $CONTROL request was refused: users and rules are files here"), broker.said());
}

TEST_CASE("what cannot be brought over is refused with a line and exit 4; a file that is none names its byte; nothing is written") {
    temp_dir dir;
    write_file(dir / "a.conf", "listener 1883 127.0.0.1\nallow_anonymous true\nplugin /usr/lib/other.so\npersistence_location " + dir.path() + "/\n");
    auto const plugin = migrate(dir / "a.conf");
    CHECK(plugin.code == 4);
    CHECK(plugin.text.find("refused  " + (dir / "a.conf:3")) != std::string::npos);
    CHECK(!std::filesystem::exists(dir / "airmail"));
    CHECK(migrate(dir / "nowhere.conf").code == 3);
    write_file(dir / "b.conf", "listener 1883 127.0.0.1\nallow_anonymous true\npersistence_location " + dir.path() + "/\n");
    write_file(dir / "mosquitto.db", "this is no database");
    auto const bad = migrate(dir / "b.conf");
    CHECK(bad.code == 1);
    CHECK(bad.text.find("mosquitto.db: byte 0: this is no mosquitto.db") != std::string::npos);
    CHECK(!std::filesystem::exists(dir / "airmail/hot"));
}
