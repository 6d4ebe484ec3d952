// Redis as the fast view: keys, channels and lists as documented; flushed, restarted, read-only, hanging; in a cluster.

#include "tests/e2e/replicate/ledger.hpp"

#include <thread>

using namespace airmail::testing;

namespace {

struct viewer : ledger {
    viewer() {
        view_server().ask({"FLUSHALL"});
        to_redis(view_server().url());
    }
    bool same(redis_server& r = view_server()) {
        return eventually([&] { return differences(db, r).empty(); }, std::chrono::seconds(20));
    }
};

/// Everything published on a channel while it lives.
class listener {
public:
    listener(redis_server& r, std::string const& channel) : c_(redisConnect("127.0.0.1", r.port())) {
        timeval t{0, 50'000};
        freeReplyObject(redisCommand(c_, "SUBSCRIBE %s", channel.c_str()));
        redisSetTimeout(c_, t);
        thread_ = std::thread([this] {
            while (!stop_) {
                void* r = nullptr;
                if (redisGetReply(c_, &r) != REDIS_OK) {
                    if (c_->err == REDIS_ERR_IO && errno == EAGAIN) c_->err = 0;
                    else if (stop_) break;
                    else c_->err = 0;
                    continue;
                }
                auto* reply = static_cast<redisReply*>(r);
                std::lock_guard hold(mutex_);
                if (reply->elements == 3) heard_.emplace_back(reply->element[2]->str);
                freeReplyObject(reply);
            }
        });
    }
    ~listener() {
        stop_ = true;
        thread_.join();
        redisFree(c_);
    }
    bool heard(std::string const& text) {
        return eventually([&] {
            std::lock_guard hold(mutex_);
            return std::any_of(heard_.begin(), heard_.end(), [&](auto const& h) { return h.find(text) != h.npos; });
        }, std::chrono::seconds(10));
    }

private:
    redisContext* c_;
    std::atomic<bool> stop_{false};
    std::mutex mutex_;
    std::vector<std::string> heard_;
    std::thread thread_;
};

}

TEST_CASE("Flow 1 in Redis: the document's value and life; the channel says the same with event and seq") {
    viewer v;
    v.start();
    REQUIRE(v.settles());
    listener updates(view_server(), "device:updates");
    v.device("12345");
    v.db.exec("UPDATE devices SET last_seen = 1699878900000");
    REQUIRE(v.same());
    CHECK(view_server().ask({"GET", "device:12345"}) == R"({"serial_no": "12345", "model": "TX-100", "fw": "v1.0.2", "last_seen": 1699878900, "status": "online"})");
    auto const life = std::stoi(view_server().ask({"TTL", "device:12345"}));
    CHECK(life > 290);
    CHECK(life <= 300);
    CHECK(updates.heard(R"("status": "online", "event": "registered", "seq": )"));
    v.db.exec("UPDATE devices SET status = 'offline', updated_at = 5");
    CHECK(updates.heard(R"("status": "offline", "event": "offline", "seq": )"));
    CHECK(view_server().ask({"GET", "device:12345"}).find(R"("status": "offline"})") != std::string::npos);
    v.db.exec("DELETE FROM devices");
    CHECK(updates.heard(R"({"serial_no": "12345", "event": "removed", "seq": )"));
    CHECK(view_server().ask({"EXISTS", "device:12345"}) == "0");
}

TEST_CASE("a late write never wins") {
    viewer v;
    v.device("12345");
    v.start();
    REQUIRE(v.settles());
    REQUIRE(v.same());
    view_server().ask({"SET", "airmail:seq:{device:12345}", "9007199254740993000"});     // somebody later than we are
    view_server().ask({"SET", "device:12345", "later"});
    v.db.exec("UPDATE devices SET current_firmware = 'v2'");
    REQUIRE(v.settles());
    CHECK(view_server().ask({"GET", "device:12345"}) == "later");
}

TEST_CASE("campaigns and recent events: a key that lives ten minutes, a channel, a list of 1,000, newest first, none twice") {
    viewer v;
    v.fleet(10);
    v.campaign(campaign_1, 10);
    v.start();
    REQUIRE(v.settles());
    listener updates(view_server(), "campaign:updates");
    for (int i = 0; i < 1100; ++i) v.status(campaign_1, i % 10, "downloading", i + 1);
    REQUIRE(v.settles());
    CHECK(view_server().ask({"LLEN", "events:recent"}) == "1000");
    CHECK(view_server().ask({"LINDEX", "events:recent", "0"}).find(R"("campaign_id": ")") != std::string::npos);
    CHECK(view_server().ask({"GET", std::string("campaign:") + campaign_1}).find(R"("firmware_version": "v1.1.0")") != std::string::npos);
    CHECK(std::stoi(view_server().ask({"TTL", std::string("campaign:") + campaign_1})) > 590);
    CHECK(updates.heard(R"("event": "updated", "seq": )"));
}

TEST_CASE("Redis is flushed, restarted empty, and paused: rebuilt from the registry each time (G03)") {
    redis_server own;
    viewer v;
    v.to_redis(own.url());
    v.options.timeout = std::chrono::milliseconds(800);
    v.fleet(1200);
    v.campaign(campaign_1, 10);
    v.start();
    REQUIRE(v.settles());
    REQUIRE(v.same(own));
    own.ask({"FLUSHALL"});
    CHECK(v.same(own));
    own.kill();
    v.device("while-away");
    REQUIRE(eventually([&] { return !v.degraded().empty(); }));
    own.start();
    CHECK(v.settles());
    CHECK(v.same(own));
    CHECK(own.ask({"EXISTS", "device:while-away"}) == "1");
    own.pause();
    v.device("while-hanging");
    CHECK(eventually([&] { return v.degraded().find("in time") != std::string::npos; }));
    own.resume();
    CHECK(v.settles());
    CHECK(v.same(own));
}

TEST_CASE("a read-only replica and a full Redis are named and waited for") {
    redis_server own;
    viewer v;
    v.to_redis(own.url());
    v.device("12345");
    own.ask({"REPLICAOF", "127.0.0.1", "1"});
    own.ask({"CONFIG", "SET", "replica-serve-stale-data", "yes"});
    v.start();
    CHECK(eventually([&] { return v.degraded().find("READONLY") != std::string::npos; }));
    CHECK(v.degraded().find("replicate_redis must name the master") != std::string::npos);
    own.ask({"REPLICAOF", "NO", "ONE"});
    own.ask({"CONFIG", "SET", "maxmemory", "1"});
    CHECK(eventually([&] { return v.degraded().find("OOM") != std::string::npos || v.degraded().find("maxmemory") != std::string::npos; }));
    own.ask({"CONFIG", "SET", "maxmemory", "0"});
    CHECK(v.settles());
    CHECK(v.same(own));
}

TEST_CASE("keys of connected devices that were evicted are written again; those of absent ones are left to expire") {
    viewer v;
    v.device("here");
    v.device("gone", "offline");
    v.start();
    REQUIRE(v.settles());
    view_server().ask({"DEL", "device:here"});
    view_server().ask({"EXPIRE", "device:gone", "1"});
    v.stop();                                        // a new connection begins a new round
    v.start();
    REQUIRE(eventually([&] { return view_server().ask({"EXISTS", "device:here"}) == "1"; }));
    CHECK(eventually([&] { return v.carrier->healed_keys() == 1; }));      // counted when the answers are in
    CHECK(eventually([&] { return view_server().ask({"EXISTS", "device:gone"}) == "0"; }));
}

TEST_CASE("an ACL user with a password, a Unix socket, and TLS; a wrong password is one line") {
    server_dir dir("redistls");
    auto const made = run({"sh", "-c", "cd " + dir.path() + " && openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null && printf right > pw && printf wrong > pw2"});
    REQUIRE(made.code == 0);
    auto const tls_port = std::to_string(port_free_now());
    redis_server own({"--unixsocket", dir / "redis.sock", "--tls-port", tls_port, "--tls-cert-file", dir / "c.pem", "--tls-key-file", dir / "k.pem", "--tls-ca-cert-file", dir / "c.pem", "--tls-auth-clients", "no"});
    own.ask({"ACL", "SETUSER", "carrier", "on", ">right", "~*", "&*", "+@all"});
    viewer v;
    v.device("12345");
    auto follow = [&](std::string const& url, std::string const& password) {
        airmail::storage::replicate::redis_options o;
        REQUIRE(airmail::storage::replicate::parse_redis_url(url, o).empty());
        o.password = "file:" + (dir / password);
        o.login.ca_file = dir / "c.pem";
        v.options.redis = o;
        v.start();
    };
    follow("redis://carrier@127.0.0.1:" + std::to_string(own.port()), "pw2");
    CHECK(eventually([&] { return v.degraded().find("WRONGPASS") != std::string::npos; }));
    v.stop();
    follow("redis://carrier@127.0.0.1:" + std::to_string(own.port()), "pw");
    CHECK(v.settles());
    v.stop();
    own.ask({"CONFIG", "SET", "requirepass", "right"});
    own.ask({"AUTH", "right"});
    follow("unix://" + (dir / "redis.sock"), "pw");
    CHECK(v.settles());
    v.stop();
    follow("rediss://127.0.0.1:" + tls_port, "pw");
    CHECK_MESSAGE(v.settles(), v.degraded());
    CHECK(v.same(own));
    v.stop();
}

TEST_CASE("Redis Cluster of three masters: every key on its slot, ASK and MOVED followed while a slot moves, one master emptied and rebuilt") {
    std::vector<std::unique_ptr<redis_server>> nodes;
    std::vector<std::string> create{"redis-cli", "--cluster", "create"};
    for (int i = 0; i < 3; ++i) {
        auto const bus = std::to_string(port_free_now());
        nodes.push_back(std::make_unique<redis_server>(std::vector<std::string>{"--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-config-file", "nodes.conf"}));
        create.push_back("127.0.0.1:" + std::to_string(nodes.back()->port()));
    }
    create.insert(create.end(), {"--cluster-replicas", "0", "--cluster-yes"});
    auto const made = run(create);
    REQUIRE_MESSAGE(made.code == 0, made.text);
    viewer v;
    v.to_redis(nodes[1]->url(), true);
    v.fleet(300);
    v.campaign(campaign_1, 10);
    v.start();
    REQUIRE_MESSAGE(v.settles(), v.degraded());
    auto keys = [&] {
        int n = 0;
        for (int i = 0; i < 300; ++i)
            for (auto& node : nodes) n += node->ask({"GET", "device:dev-" + std::to_string(i)}).find("\"online\"") != std::string::npos;
        return n;
    };
    CHECK(keys() == 300);
    for (auto& node : nodes) CHECK(std::stoi(node->ask({"DBSIZE"})) > 50);
    // A slot moves away under us: keys that have gone over are asked for there (ASK); a script whose keys are nowhere yet is told to try again
    // (ASK, then TRYAGAIN); when it has moved, MOVED.
    auto const slot = std::to_string(airmail::storage::replicate::slot_of("device:dev-7"));
    auto holds = [&](std::unique_ptr<redis_server>& n) { return n->ask({"EXISTS", "device:dev-7"}) == "1"; };
    auto& from = *std::find_if(nodes.begin(), nodes.end(), holds);
    auto& to = &from == &nodes[0] ? nodes[1] : nodes[0];
    auto id = [](redis_server& r) { return r.ask({"CLUSTER", "MYID"}); };
    to->ask({"CLUSTER", "SETSLOT", slot, "IMPORTING", id(*from)});
    from->ask({"CLUSTER", "SETSLOT", slot, "MIGRATING", id(*to)});
    REQUIRE(from->ask({"MIGRATE", "127.0.0.1", std::to_string(to->port()), "", "0", "5000", "KEYS", "device:dev-7", "airmail:seq:{device:dev-7}"}) == "OK");
    CHECK(from->ask({"GET", "device:dev-7"}).find("(error) ASK " + slot) == 0);
    v.db.exec("UPDATE devices SET current_firmware = 'v8' WHERE serial_no = 'dev-7'");
    REQUIRE_MESSAGE(v.settles(), v.degraded());
    CHECK(to->ask({"CLUSTER", "COUNTKEYSINSLOT", slot}) != "0");
    to->ask({"ASKING"});
    CHECK(to->ask({"GET", "device:dev-7"}).find("v8") != std::string::npos);
    to->ask({"ASKING"});
    to->ask({"DEL", "device:dev-7", "airmail:seq:{device:dev-7}"});
    v.db.exec("UPDATE devices SET current_firmware = 'v9' WHERE serial_no = 'dev-7'");
    CHECK(eventually([&] { return v.degraded().find("TRYAGAIN") != std::string::npos; }));
    for (auto& n : nodes) n->ask({"CLUSTER", "SETSLOT", slot, "NODE", id(*to)});
    REQUIRE_MESSAGE(v.settles(), v.degraded());
    CHECK(to->ask({"GET", "device:dev-7"}).find("v9") != std::string::npos);
    v.db.exec("UPDATE devices SET current_firmware = 'v10' WHERE serial_no = 'dev-7'");
    REQUIRE_MESSAGE(v.settles(), v.degraded());
    CHECK(to->ask({"GET", "device:dev-7"}).find("v10") != std::string::npos);
    nodes[2]->ask({"FLUSHALL"});
    CHECK(eventually([&] { return keys() == 300; }));
}
