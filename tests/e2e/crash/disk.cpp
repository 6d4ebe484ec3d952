// Disks that are full, fail or are slow: F01 to F04. A fault is seen everywhere it should be, QoS 0 goes on, nothing is
// acknowledged that is not stored, and it ends by itself.

#include "tests/e2e/crash/shim/shim.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sys/mount.h>
#include <thread>
#include <unistd.h>

using namespace airmail::testing;

namespace {

/// A durable session that is away: what is published to `owed/#` must be stored before it is acknowledged.
void owe_to_somebody(broker_process& d) {
    blocking_client c;
    connects(c, plain_options(d, "owed", false));
    REQUIRE(c.subscribe("owed/#", 1)->front() == reason::granted_qos_1);
    REQUIRE_FALSE(c.disconnect());
}

/// Every number of `promised` comes to the session that was away; others may.
void collects(broker_process& d, std::vector<int> const& promised) {
    blocking_client c;
    connects(c, plain_options(d, "owed", false));
    CHECK(c.connack()->session_present);
    std::map<int, int> seen;
    std::size_t missing = promised.size();
    while (missing > 0) {
        auto const m = c.receive();
        if (!m) break;
        if (seen[std::atoi(m->payload.c_str())]++ == 0) missing -= static_cast<std::size_t>(std::count(promised.begin(), promised.end(), std::atoi(m->payload.c_str())));
    }
    CHECK(missing == 0);
}

/// QoS 0 from one client to another while the disk is in trouble, and how long it takes.
std::chrono::milliseconds qos0_round(blocking_client& from, blocking_client& to) {
    auto const began = std::chrono::steady_clock::now();
    REQUIRE(from.publish({.topic = "live/x", .payload = "alive", .qos = 0}).has_value());
    auto const m = to.receive();
    REQUIRE(m.has_value());
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
}

/// Who is there while the disk is in trouble: writer publishes what is owed, talker speaks to listener with QoS 0, watcher looks at $SYS.
struct witnesses {
    blocking_client writer, talker, listener, watcher;
    explicit witnesses(broker_process& d) {
        connects(writer, plain_options(d, "writer"));
        connects(talker, plain_options(d, "talker"));
        connects(listener, plain_options(d, "listener"));
        connects(watcher, plain_options(d, "watcher"));
        REQUIRE(listener.subscribe("live/x", 0).has_value());
    }
};

/// A fault from `begin` to `end`: refused, visible, QoS 0 goes on; afterwards it is over by itself, and what was acknowledged is there.
void suffers(broker_process& d, std::function<void()> begin, std::function<void()> end, bool killed_in_fault) {
    owe_to_somebody(d);
    witnesses w{d};
    auto& [writer, talker, listener, watcher] = w;
    std::vector<int> promised;
    int number = 0;
    auto publish = [&] {
        auto const text = std::to_string(++number) + std::string(900, ' ');
        auto const r = writer.publish({.topic = "owed/x", .payload = text, .qos = 1});
        if (r && !airmail::codec::failed(*r)) promised.push_back(number);
        return r;
    };
    for (int i = 0; i < 50; ++i) REQUIRE(publish() == reason::success);

    begin();
    auto refused = publish();
    for (int i = 0; i < 12'000 && refused == reason::success; ++i) refused = publish();   // a disk fills up first
    CHECK(refused == reason::quota_exceeded);
    // On a disk that is only nearly full something small may still find room, and the store is well again for a moment: it is kept busy.
    auto seen = [&](auto what) {
        return eventually([&] {
            (void)publish();
            return what();
        });
    };
    CHECK(seen([&] {
        auto const r = d.get("/readyz");
        return r.code == 503 && r.text.find("store") != std::string::npos;
    }));
    CHECK(seen([&] { return d.metric("airmail_storage_failing_stores") == 1; }));
    CHECK(d.metric("airmail_storage_syncs_failed_total") > 0);
    REQUIRE(watcher.subscribe("$SYS/broker/store/state", 0).has_value());
    CHECK(seen([&] {
        auto const m = watcher.receive(100ms);
        return m && m->payload.starts_with("refusing: ");
    }));
    CHECK(seen([&] { return d.said().find("nothing can be stored") != std::string::npos; }));
    for (int i = 0; i < 20; ++i) (void)qos0_round(talker, listener);
    CHECK(seen([&] { return publish() == reason::quota_exceeded; }));

    if (killed_in_fault) {
        d.kill();
        end();
        auto const why = d.start_again();
        REQUIRE_MESSAGE(why.empty(), why);
        writer.drop();
        connects(writer, plain_options(d, "writer"));
    } else {
        end();
        CHECK(eventually([&] { return d.ready() == 200; }));   // nobody publishes meanwhile: it looks for itself
        CHECK(d.metric("airmail_storage_failing_stores") == 0);
    }
    CHECK(publish() == reason::success);
    d.kill();
    auto const why = d.start_again();
    REQUIRE_MESSAGE(why.empty(), why);
    collects(d, promised);
}

/// The limits that would keep the disk from filling up are off: these tests are about a disk that is full all the same.
std::string const house = plain_house + "sys_interval 1\nlimit_disk_refuse 0\nlimit_disk_readonly 0\nlimit_disk_reserve 0\n";

/// A file system under the daemon's data directory, until destroyed. Not mounted: this user may not.
class small_disk {
public:
    explicit small_disk(broker_process& d, std::string const& size = "8m") : path_(d.dir() / "data") {
        std::filesystem::create_directory(path_);
        std::filesystem::permissions(path_, std::filesystem::perms::owner_all);
        mounted = ::mount("airmail-test", path_.c_str(), "tmpfs", 0, ("size=" + size + ",mode=0700").c_str()) == 0;
    }
    ~small_disk() {
        if (mounted) ::umount2(path_.c_str(), MNT_DETACH);
    }
    void grow() const { CHECK(::mount("airmail-test", path_.c_str(), "tmpfs", MS_REMOUNT, "size=64m") == 0); }
    /// Somebody else's file leaves so many permille of it free; 1000 removes the file.
    void leave(std::uint64_t permille) const {
        std::filesystem::remove(path_ + "/ballast");
        auto const now = std::filesystem::space(path_);
        auto const wanted = now.capacity * permille / 1000;
        if (permille == 1000 || now.available <= wanted) return;
        int const fd = ::open((path_ + "/ballast").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        CHECK(::fallocate(fd, 0, 0, static_cast<off_t>(now.available - wanted)) == 0);
        ::close(fd);
    }
    bool mounted = false;

private:
    std::string path_;
};

}

TEST_CASE("F01: the file system fills up: refused and visible, then more room, and it goes on by itself") {
    broker_process d{house};
    small_disk disk(d);
    if (!disk.mounted) {
        MESSAGE("skipped: mounting a tmpfs is not permitted here");
        return;
    }
    up(d);
    suffers(d, [] {}, [&] { disk.grow(); }, false);
}

TEST_CASE("F01: killed while the disk is full, it starts again when there is room, and what was acknowledged is there") {
    broker_process d{house};
    small_disk disk(d);
    if (!disk.mounted) {
        MESSAGE("skipped: mounting a tmpfs is not permitted here");
        return;
    }
    up(d);
    suffers(d, [] {}, [&] { disk.grow(); }, true);
}

TEST_CASE("F01: with $SYS off the log tells of a full disk all the same, and of its end") {
    broker_process d{plain_house + "sys_interval 0\nlimit_disk_refuse 0\nlimit_disk_readonly 0\nlimit_disk_reserve 0\n"};
    small_disk disk(d);
    if (!disk.mounted) {
        MESSAGE("skipped: mounting a tmpfs is not permitted here");
        return;
    }
    up(d);
    owe_to_somebody(d);
    blocking_client writer;
    connects(writer, plain_options(d, "writer"));
    std::string const payload(50'000, ' ');
    int taken = 0;
    while (taken < 1'000 && writer.publish({.topic = "owed/x", .payload = payload, .qos = 1}) == reason::success) ++taken;
    CHECK(taken < 160);   // 8 MB
    CHECK(d.says("nothing can be stored: "));
    disk.grow();
    CHECK(d.says("the disk takes messages again"));
}

TEST_CASE("F01: limit_disk_refuse, limit_disk_readonly and limit_disk_reserve: less and less is taken, and all of it again when there is room") {
    broker_process d{plain_house + "sys_interval 1\nairmail_plugin ota\nlimit_disk_refuse 10%\nlimit_disk_readonly 1KiB 3%\nlimit_disk_reserve 2MiB\n"};
    small_disk disk(d, "64m");
    if (!disk.mounted) {
        MESSAGE("skipped: mounting a tmpfs is not permitted here");
        return;
    }
    d.run_under({"/usr/bin/env", "-u", "AIRMAIL_LIMIT_DISK_REFUSE", "-u", "AIRMAIL_LIMIT_DISK_READONLY", "-u", "AIRMAIL_LIMIT_DISK_RESERVE"});
    up(d);
    CHECK(d.metric("airmail_storage_disk_level") == 0);
    CHECK(d.metric("airmail_storage_disk_reserve_bytes") == 2 << 20);
    owe_to_somebody(d);
    witnesses w{d};
    auto& [writer, talker, listener, watcher] = w;
    std::vector<int> promised;
    int number = 0;
    auto const owed = [&] {
        auto const r = writer.publish({.topic = "owed/x", .payload = std::to_string(++number), .qos = 1});
        REQUIRE(r.has_value());
        if (!airmail::codec::failed(*r)) promised.push_back(number);
        return *r;
    };
    auto const heartbeat = [&] {
        auto const r = writer.publish({.topic = "devices/writer/heartbeat", .payload = R"({"serial_no":"writer","model":"m","current_firmware":"1.0.0","timestamp":1700000000})", .qos = 1});
        REQUIRE(r.has_value());
        return *r;
    };
    auto const level = [&](int l) { return eventually([&] { return (void)owed(), d.metric("airmail_storage_disk_level") == l; }); };
    auto const upload = [&](std::uint64_t bytes) { return d.control("POST", "/api/v1/firmware/uploads", R"({"name":"x","size_bytes":)" + std::to_string(bytes) + "}"); };
    for (int i = 0; i < 20; ++i) REQUIRE(owed() == reason::success);
    CHECK(upload(1'000).code == 201);
    auto const too_large = upload(63'000'000);   // there is room for it, and it would leave less than 10 %
    CHECK(too_large.code == 507);
    CHECK_MESSAGE(too_large.text.find("http.disk_low") != std::string::npos, too_large.text);

    disk.leave(70);   // 7 %
    REQUIRE(level(1));
    CHECK(owed() == reason::quota_exceeded);
    CHECK(writer.publish({.topic = "kept", .payload = "x", .qos = 1, .retain = true}) == reason::quota_exceeded);
    CHECK(heartbeat() == reason::success);
    for (int i = 0; i < 20; ++i) (void)qos0_round(talker, listener);
    {
        blocking_client fresh;
        connects(fresh, plain_options(d, "fresh", false));
        CHECK(fresh.subscribe("fresh/#", 1)->front() == reason::granted_qos_1);
    }
    auto const unready = d.get("/readyz");
    CHECK(unready.code == 503);
    CHECK(unready.text.find("store: room for ") != std::string::npos);
    CHECK(unready.text.find("limit_disk_refuse 10%") != std::string::npos);
    CHECK(upload(999).code == 507);
    CHECK(d.control("POST", "/api/v1/firmware", "all of it at once").code == 507);
    CHECK(eventually([&] { return d.control("GET", "/api/v1/alerts").text.find("disk_low") != std::string::npos; }));
    CHECK(d.metric("airmail_storage_failing_stores") == 1);
    CHECK(d.metric("airmail_storage_disk_refused_total") > 0);
    CHECK(d.metric("airmail_storage_syncs_failed_total") == 0);   // nothing failed: it was not tried
    CHECK(d.says("the disk is nearly full: room for "));
    REQUIRE(watcher.subscribe("$SYS/broker/store/state", 0).has_value());
    CHECK(eventually([&] {
        auto const m = watcher.receive(100ms);
        return m && m->payload.starts_with("refusing: room for ");
    }));

    disk.leave(20);   // 2 %
    REQUIRE(level(2));
    CHECK(heartbeat() == reason::quota_exceeded);
    CHECK(d.says("the disk is all but full: room for "));
    {
        blocking_client stranger;
        auto const hello = stranger.connect(plain_options(d, "stranger", false));
        CHECK_FALSE(hello.has_value());
        CHECK(stranger.closed()->code == reason::quota_exceeded);
    }
    for (int i = 0; i < 20; ++i) (void)qos0_round(talker, listener);

    disk.leave(0);
    CHECK(eventually([&] { return (void)owed(), d.metric("airmail_storage_disk_reserve_bytes") == 0; }));
    CHECK(d.says("2.0 MiB of limit_disk_reserve are given up"));
    CHECK(d.metric("airmail_storage_disk_level") == 2);
    collects(d, promised);   // who comes back gets in, and what it acknowledges goes
    promised.clear();

    disk.leave(1000);
    CHECK(eventually([&] { return d.ready() == 200; }));   // nobody publishes meanwhile: it looks for itself
    CHECK(d.metric("airmail_storage_disk_level") == 0);
    CHECK(d.metric("airmail_storage_disk_reserve_bytes") == 2 << 20);
    CHECK(d.says("the disk has room again"));
    CHECK(owed() == reason::success);
    d.kill();
    auto const why = d.start_again();
    REQUIRE_MESSAGE(why.empty(), why);
    collects(d, promised);
}

TEST_CASE("F02: no space, or an error, at every write") {
    for (int error : {ENOSPC, EIO}) {
        CAPTURE(error);
        broker_process d{house};
        disk_shim shim(d, false);
        up(d);
        suffers(d, [&] { shim.orders().write_errno = static_cast<std::uint32_t>(error); }, [&] { shim.orders().write_errno = 0; }, false);
        CHECK(shim.orders().writes_failed > 0);
    }
}

TEST_CASE("F03: fsync fails, and would succeed if asked again: it is not believed, and nothing that rested on it was acknowledged") {
    broker_process d{house};
    disk_shim shim(d, false);
    up(d);
    suffers(d, [&] { shim.orders().sync_errno = EIO; }, [&] { shim.orders().sync_errno = 0; }, false);
    CHECK(shim.orders().syncs_failed > 0);
}

TEST_CASE("F04: a sync that takes seconds keeps acknowledgements waiting, and nobody else") {
    for (unsigned ms : long_form() ? std::vector{2'000u, 30'000u} : std::vector{2'000u}) {
        broker_process d{house};
        disk_shim shim(d, false);
        up(d);
        owe_to_somebody(d);
        blocking_client writer{300s}, talker, listener;   // two syncs of its own commit, and two of the one under way
        connects(writer, plain_options(d, "writer"));
        connects(talker, plain_options(d, "talker"));
        connects(listener, plain_options(d, "listener"));
        REQUIRE(listener.subscribe("live/x", 0).has_value());
        shim.orders().sync_delay_ms = ms;
        auto const began = std::chrono::steady_clock::now();
        std::atomic<bool> answered{false};
        std::thread waiting([&] {
            CHECK(writer.publish({.topic = "owed/x", .payload = "slow", .qos = 1}) == reason::success);
            answered = true;
        });
        std::vector<std::chrono::milliseconds> rounds;
        while (!answered) {
            rounds.push_back(qos0_round(talker, listener));
            talker.run_for(10ms);
        }
        waiting.join();
        auto const took = std::chrono::steady_clock::now() - began;
        CHECK(took >= std::chrono::milliseconds(ms));
        std::sort(rounds.begin(), rounds.end());
        REQUIRE(rounds.size() > 10);
        auto const p99 = rounds[rounds.size() * 99 / 100];
        MESSAGE("sync " << ms << " ms: PUBACK after " << std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms, " << rounds.size() << " QoS 0 rounds meanwhile, p99 " << p99.count() << " ms");
        CHECK(p99 < 500ms);
        shim.orders().sync_delay_ms = 0;
    }
}
