#include "storage/store.hpp"
#include "rig.hpp"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <lmdb.h>
#include <thread>
#include <unistd.h>

using namespace airmail::storage;
using namespace airmail::storage::test;

TEST_CASE("nothing is acknowledged before the sync, and a sync that failed is made good by a new transaction") {
    folder f;
    rig r{f.hot()};
    std::atomic<int> fail{0};
    auto trip = [&] { return fail > 0 ? (--fail, EIO) : 0; };
    bool landed = false;
    SUBCASE("nothing had reached the disk") { r.options.before_commit = trip; }
    SUBCASE("everything had reached the disk, and the failure is a lie") { r.options.after_commit = trip; landed = true; }
    REQUIRE(r.open());
    r.one.put(put_session{session(1, "c")});
    auto a = r.one.put(to(text("t", "a"), {1}));
    fail = 1;
    auto b = r.one.put(to(text("t", "b"), {1}));
    CHECK(b > a);
    CHECK(r.hot->stats().syncs_failed == 1);
    CHECK(r.hot->trouble().empty());

    fail = 2;   // the second attempt as well
    auto t = r.one.submit(to(text("t", "c"), {1}));
    r.one.mail.run_until([&] { return r.one.answered(t); });
    CHECK(r.one.refused[t] == errc::failed);
    CHECK(!r.hot->trouble().empty());
    auto d = r.one.put(to(text("t", "d"), {1}));
    CHECK(d > b);
    CHECK(r.hot->trouble().empty());
    r.one.put(settle{a, 1});
    REQUIRE(r.one.fetch({d})[0]);
    REQUIRE(r.again());
    CHECK(r.was.references.contains({b, 1}));
    CHECK(r.was.references.contains({d, 1}));
    CHECK(!r.was.references.contains({a, 1}));
    // A refused message may have been stored when the disk lied twice: the publisher sends it again, at least once.
    CHECK(r.was.references.size() == (landed ? 3 : 2));
}

TEST_CASE("no mail comes while a commit is under way") {
    folder f;
    rig r{f.hot()};
    std::mutex m;
    std::condition_variable cv;
    bool inside = false, go = true;
    r.options.before_commit = [&] {
        std::unique_lock l{m};
        inside = true;
        cv.notify_all();
        cv.wait(l, [&] { return go; });
        return 0;
    };
    REQUIRE(r.open());
    r.one.put(put_state{1, 1, {1}});
    {
        std::lock_guard l{m};
        go = false, inside = false;
    }
    auto mails = r.one.mails;
    auto t = r.one.submit(put_state{1, 2, {1}});
    {
        std::unique_lock l{m};
        cv.wait(l, [&] { return inside; });
    }
    CHECK(r.one.mails == mails);
    {
        std::lock_guard l{m};
        go = true;
    }
    cv.notify_all();
    r.one.mail.run_until([&] { return r.one.answered(t); });
    CHECK(r.one.stored.contains(t));
}

TEST_CASE("a full disk refuses the batch, says so, and recovers alone when space returns") {
    folder f;
    rig r{f.hot()};
    std::atomic<bool> full{false};
    r.options.before_commit = [&] { return full ? ENOSPC : 0; };
    REQUIRE(r.open());
    r.one.put(put_session{session(1, "c")});
    full = true;
    auto t = r.one.submit(to(text("t", "x"), {1}));
    r.one.mail.run_until([&] { return r.one.answered(t); });
    CHECK(r.one.refused[t] == errc::full);
    CHECK(!r.hot->trouble().empty());
    full = false;
    CHECK(r.one.put(to(text("t", "y"), {1})) != 0);
    CHECK(r.hot->trouble().empty());
    REQUIRE(r.again());
    CHECK(r.was.references.size() == 1);
}

TEST_CASE("F01: a disk that has room again is noticed although nothing is submitted: a broker that is not ready gets no traffic") {
    folder f;
    rig r{f.hot()};
    std::atomic<bool> full{false};
    r.options.before_commit = [&] { return full ? ENOSPC : 0; };
    REQUIRE(r.open());
    full = true;
    CHECK(r.one.put(put_session{session(1, "c")}) == 0);
    CHECK(!r.hot->trouble().empty());
    full = false;
    auto const deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!r.hot->trouble().empty() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    CHECK(r.hot->trouble().empty());
}

TEST_CASE("a full map refuses whole batches with errc::full, keeps what it has, and takes more once the cleaner freed pages") {
    folder f;
    rig r{f.hot()};
    r.options.map_bytes = 4u << 20;
    r.options.clean_range_bits = 4;
    REQUIRE(r.open());
    r.one.put(put_session{session(1, "c")});
    std::vector<lsn> kept;
    std::string const body(2'000, 'x');
    lsn at = 0;
    while ((at = r.one.put(to(text("t", body), {1}))) != 0) {
        kept.push_back(at);
        REQUIRE(kept.size() < 10'000);
    }
    CHECK(r.one.refused.rbegin()->second == errc::full);
    CHECK(r.hot->trouble().find("store_map_size") != std::string::npos);
    CHECK(kept.size() > 500);
    CHECK(r.hot->stats().bytes_used <= r.options.map_bytes);   // what lies beyond is for getting emptier
    REQUIRE(r.again());
    CHECK(r.was.references.size() == kept.size());
    // Messages leave one by one; even a store that is full takes the news.
    std::size_t settled = 0;
    for (auto l : kept) {
        auto t = r.one.submit(settle{l, 1});
        r.one.mail.run_until([&] { return r.one.answered(t); });
        settled += r.one.stored.contains(t);
    }
    CHECK(settled == kept.size());
    std::size_t stored = 0;
    for (int i = 0; i < 200; ++i) stored += r.one.put(to(text("t", body), {1})) != 0;
    CHECK(stored == 200);
    CHECK(r.hot->trouble().empty());
}

namespace {

/// Changes one byte in the middle of a stored row, as a disk might: finds `needle` in the file.
bool spoil(std::string const& file, std::string const& needle) {
    std::ifstream in{file, std::ios::binary};
    std::string all{std::istreambuf_iterator<char>{in}, {}};
    bool any = false;
    int fd = ::open(file.c_str(), O_RDWR);
    // Old copies of the page may lie in the file, too: all of them.
    for (auto at = all.find(needle); at != std::string::npos; at = all.find(needle, at + 1))
        any = ::pwrite(fd, "#", 1, static_cast<off_t>(at)) == 1;
    ::close(fd);
    return any;
}

}

TEST_CASE("a damaged record is named and skipped, and the rest is kept") {
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open());
    r.one.put(put_session{session(1, "good-client")});
    r.one.put(put_session{session(2, "client-to-be-spoilt")});
    auto a = r.one.put(to(text("t", "payload-one"), {1, 2}));
    auto b = r.one.put(to(text("t", "payload-two"), {1}));
    r.one.put(keep("r", "retained-body"));
    r.close();
    REQUIRE(spoil(f.hot() + "/data.mdb", "payload-one"));
    REQUIRE(spoil(f.hot() + "/data.mdb", "client-to-be-spoilt"));
    REQUIRE(r.open());
    CHECK(r.hot->stats().records_damaged == 2);
    auto lines = r.hot->damaged();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].find("session") != std::string::npos);
    CHECK(lines[1].find(std::to_string(a)) != std::string::npos);
    CHECK(lines[1].find("checksum") != std::string::npos);
    CHECK(r.was.sessions.size() == 1);
    CHECK(r.was.references.size() == 1);
    CHECK(r.was.references.contains({b, 1}));
    CHECK(r.was.retained["r"].second == "retained-body");
    CHECK(!r.one.fetch({a})[0]);
    CHECK(r.one.put(to(text("t", "three"), {1})) > b);
}

TEST_CASE("a first start that lost its power half way begins anew and keeps what it found; a store that has served is refused, and so is a large one") {
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open());
    r.close();
    auto const file = f.hot() + "/data.mdb";
    std::string whole;
    {
        std::ifstream in(file, std::ios::binary);
        whole.assign(std::istreambuf_iterator<char>(in), {});
    }
    auto const half = whole.substr(0, 8192);   // the root pages, which name pages that were never written
    auto lay_out = [&](std::string const& bytes) { std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes; };
    auto kept = [&] { return std::filesystem::exists(file + ".unfinished"); };

    lay_out(half);
    CHECK(!r.open());   // its instance file says that it has served
    CHECK(r.error == errc::damaged);
    CHECK(!kept());

    std::filesystem::remove(f.hot() + "/instance");
    lay_out(half + std::string(100'000, '\0'));
    CHECK(!r.open());
    CHECK(r.error == errc::damaged);
    CHECK(!kept());

    lay_out(half);
    REQUIRE(r.open());
    CHECK(kept());
    CHECK(std::filesystem::file_size(file + ".unfinished") == 8192);
    CHECK(r.hot->stats().records_damaged == 0);
    REQUIRE(r.hot->damaged().size() == 1);
    CHECK(r.hot->damaged()[0].find("its first start had not come to its end") != std::string::npos);
    r.one.put(put_session{session(1, "c")});
    REQUIRE(r.again());
    CHECK(r.hot->damaged().empty());
}

TEST_CASE("a store of a newer format is refused with words, and so is a directory that cannot be used") {
    folder f;
    rig r{f.hot()};
    REQUIRE(r.open());
    r.close();
    MDB_env* env;
    mdb_env_create(&env);
    mdb_env_set_maxdbs(env, 4);
    REQUIRE(mdb_env_open(env, f.hot().c_str(), 0, 0600) == 0);
    MDB_txn* txn;
    MDB_dbi meta;
    mdb_txn_begin(env, nullptr, 0, &txn);
    mdb_dbi_open(txn, "meta", 0, &meta);
    std::uint32_t newer = 2;
    MDB_val key{6, const_cast<char*>("format")}, value{4, &newer};
    mdb_put(txn, meta, &key, &value, 0);
    mdb_txn_commit(txn);
    mdb_env_close(env);
    CHECK(!r.open());
    CHECK(r.error == errc::version);
    CHECK(r.why.find("format 2") != std::string::npos);

    std::ofstream{f.path() + "/file"} << "x";
    rig other{f.path() + "/file/hot"};
    CHECK(!other.open());
    CHECK(other.error == errc::io);
    CHECK(!other.why.empty());
    std::filesystem::create_directory(f.path() + "/bad");
    std::ofstream{f.path() + "/bad/data.mdb"} << std::string(100'000, 'z');
    rig third{f.path() + "/bad"};
    CHECK(!third.open());
    CHECK(third.error == errc::damaged);
}
