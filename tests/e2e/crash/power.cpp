// E02: the power goes. The shim tapes every write and sync below the data directory; afterwards the disk is laid out as it may
// have been at any of those moments, the store is opened, and asked for everything acknowledged before.

#include "storage/store.hpp"
#include "tests/e2e/crash/shim/shim.hpp"
#include "tests/e2e/crash/shim/tape.hpp"
#include "tools/crashtest/cast.hpp"

#include <future>
#include <random>
#include <set>

using namespace airmail::testing;
namespace lab = airmail::crashtest;
namespace storage = airmail::storage;

namespace {

/// A number that was published, and where the tape stood when its acknowledgement was read.
struct promise {
    int number = 0;
    std::uint64_t acknowledged_at = 0;   // 0 = never
};

/// Publishes to `crash/0/<qos>/<n % 3>` and, every fifth, sets or clears `kept/<k>`; remembers when each was acknowledged.
/// Owned by: one recording.
class noter final : public lab::actor {
public:
    noter(boost::asio::io_context& io, disk_shim& shim) : actor(io, "crash-noter"), shim_(shim) {}
    std::vector<promise> messages;
    std::map<int, std::vector<std::pair<promise, bool>>> kept;   // topic -> changes in order, and whether they clear
    int answered = 0;

private:
    void on_ready() override {
        for (int i = 0; i < 20; ++i) next();
    }
    void next() {
        int const n = number_++;
        if (n % 5 == 4) {
            int const k = n / 5 % 6;
            bool const clears = n / 30 % 3 == 2;
            auto const topic = "kept/" + std::to_string(k), text = clears ? std::string{} : std::to_string(n);
            if (auto id = mqtt().publish({.topic = topic, .payload = text, .qos = 1, .retain = true})) {
                kept[k].push_back({{n, 0}, clears});
                where_[*id] = {k, kept[k].size() - 1};
            }
            return;
        }
        int const qos = 1 + n % 2;
        auto const topic = "crash/0/" + std::to_string(qos) + "/" + std::to_string(n % 3);
        auto const text = std::to_string(n) + std::string(static_cast<std::size_t>(n % 7) * 60, ' ');
        if (auto id = mqtt().publish({.topic = topic, .payload = text, .qos = static_cast<std::uint8_t>(qos)})) {
            messages.push_back({n, 0});
            where_[*id] = {-1, messages.size() - 1};
        }
    }
    void on_ack(airmail::client::ack_event const& a) override {
        auto const w = where_.find(a.packet_id);
        if (w == where_.end()) return;
        auto const [k, i] = w->second;
        auto& at = k < 0 ? messages[i].acknowledged_at : kept[k][i].first.acknowledged_at;
        if (!airmail::codec::failed(a.codes.front())) at = shim_.now(), ++answered;
        where_.erase(w);
        next();
    }
    disk_shim& shim_;
    std::map<std::uint16_t, std::pair<int, std::size_t>> where_;   // packet id -> topic (-1 = a message), index
    int number_ = 0;
};

/// A run of the broker on tape, ended by kill -9.
struct recording {
    std::vector<taped> tape;
    std::vector<promise> messages;
    std::map<int, std::vector<std::pair<promise, bool>>> kept;
    std::uint64_t subscribed_at = 0;
};

recording record(broker_process& d, int answers, bool lies = false) {
    disk_shim shim(d, true);
    shim.orders().sync_lies = lies;
    up(d);
    lab::verdict unused;
    boost::asio::io_context io{1};
    lab::reader here{io, "crash-reader", unused}, away{io, "crash-away", unused};
    noter from{io, shim};
    auto live_until = [&](auto done) {
        return eventually([&] {
            io.restart();
            io.run_for(2ms);
            return done();
        });
    };
    for (auto* r : {&here, &away}) r->connect(plain_options(d, r->id()));
    REQUIRE(live_until([&] { return here.subscribed() && away.subscribed(); }));
    recording r;
    r.subscribed_at = shim.now();
    away.leave();
    REQUIRE(live_until([&] { return away.gone(); }));
    from.connect(plain_options(d, from.id()));
    REQUIRE(live_until([&] { return from.answered >= answers; }));
    d.kill();
    REQUIRE(live_until([&] { return from.gone() && here.gone(); }));
    r.tape = read_tape(shim.tape());
    REQUIRE(r.tape.size() > 100);
    r.messages = from.messages, r.kept = from.kept;
    return r;
}

/// What the store must say after a power cut at record `cut`; the first broken promise in words, or empty.
std::string judge(std::string const& hot, recording const& r, std::uint64_t cut) {
    std::set<storage::session_number> away;
    std::vector<std::pair<storage::lsn, int>> owed;   // QoS beside
    std::map<std::string, int> retained;
    storage::recovery hooks;
    hooks.on_session = [&](storage::session_record&& s) {
        if (s.client_id == "crash-away") away.insert(s.number);
    };
    hooks.on_reference = [&](storage::lsn at, storage::reference const& ref, storage::delivery_state, std::uint16_t, std::uint32_t, std::int64_t) {
        if (away.contains(ref.session)) owed.push_back({at, ref.qos});
    };
    hooks.on_retained = [&](storage::lsn, storage::message_ptr m) {
        retained[std::string{m->topic()}] = std::atoi(std::string{m->payload().begin(), m->payload().end()}.c_str());
    };
    std::string why;
    auto s = storage::store::open({.directory = hot, .map_bytes = 1ull << 30}, hooks, why);
    if (!s) return "refused: " + why;
    if ((*s)->stats().records_damaged) return "a record is damaged: " + (*s)->damaged().front();
    if (cut >= r.subscribed_at && away.empty()) return "the session is gone";

    std::vector<storage::message_ptr> bodies;
    auto& port = (*s)->make_port([](std::function<void()> f) { f(); }, [](storage::durable&&) {});
    (*s)->start();
    for (std::size_t i = 0; i < owed.size(); i += 256) {
        std::vector<storage::lsn> some;
        for (std::size_t k = i; k < std::min(owed.size(), i + 256); ++k) some.push_back(owed[k].first);
        std::promise<std::vector<storage::message_ptr>> got;
        port.fetch(some, [&](std::vector<storage::message_ptr> m) { got.set_value(std::move(m)); });
        for (auto& m : got.get_future().get()) bodies.push_back(std::move(m));
    }
    std::map<int, int> times;
    std::map<std::string, int> newest;
    for (auto const& m : bodies) {
        if (!m) return "a message that is owed cannot be read";
        if (!m->topic().starts_with("crash/0/")) continue;
        int const n = std::atoi(std::string{m->payload().begin(), m->payload().end()}.c_str());
        auto& before = newest.try_emplace(std::string{m->topic()}, -1).first->second;
        if (n <= before) return "order: " + std::to_string(n) + " after " + std::to_string(before);
        before = n;
        if (++times[n] > 1) return std::to_string(n) + " is there twice";
    }
    for (auto const& p : r.messages)
        if (p.acknowledged_at && p.acknowledged_at <= cut && !times[p.number]) return std::to_string(p.number) + " was acknowledged and is lost";
    for (auto const& [k, changes] : r.kept) {
        int const held = retained["kept/" + std::to_string(k)];
        std::size_t settled = changes.size();   // the last change acknowledged by then
        for (std::size_t i = 0; i < changes.size(); ++i)
            if (changes[i].first.acknowledged_at && changes[i].first.acknowledged_at <= cut) settled = i;
        bool may = settled == changes.size() && held == 0;
        for (std::size_t i = settled == changes.size() ? 0 : settled; i < changes.size(); ++i) may = may || held == (changes[i].second ? 0 : changes[i].first.number);
        if (!may) return "kept/" + std::to_string(k) + " holds " + std::to_string(held);
    }
    return {};
}

/// judge() in a process of its own: a store that crashes is a finding too.
std::string judged_apart(std::string const& hot, recording const& r, std::uint64_t cut) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe");
    pid_t const child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        auto const words = judge(hot, r, cut);
        (void)!::write(ends[1], words.data(), words.size());
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string words(4096, '\0');
    std::size_t size = 0;
    for (ssize_t n; size < words.size() && (n = ::read(ends[0], words.data() + size, words.size() - size)) > 0;) size += static_cast<std::size_t>(n);
    ::close(ends[0]);
    words.resize(size);
    int status = 0;
    ::waitpid(child, &status, 0);
    return status == 0 ? words : "the store crashed with " + std::to_string(code_of(status)) + ": " + words;
}

/// One disk that may have been: which of the pending writes got through at a cut.
struct possibility {
    std::uint64_t cut;
    std::vector<std::size_t> through;
    std::size_t torn = SIZE_MAX;
    char const* what;
};

/// Per sync epoch: none, all, each prefix, each write lost or kept alone, subsets, a torn root page.
std::vector<possibility> possibilities(std::vector<taped> const& tape, std::mt19937& dice) {
    std::vector<possibility> all;
    for (auto const& end : tape) {
        if (end.head.op != shim_sync_ends || std::string_view{end.head.name}.substr(0, 4) != "hot/") continue;
        auto const cut = end.head.number - 1;   // the power goes before this sync has ended
        auto const now = cut_at(tape, cut);
        auto const n = now.pending.size();
        auto range = [&](std::size_t upto, std::size_t without = SIZE_MAX) {
            std::vector<std::size_t> v;
            for (std::size_t i = 0; i < upto; ++i)
                if (i != without) v.push_back(i);
            return v;
        };
        all.push_back({cut, {}, SIZE_MAX, "none"});
        for (std::size_t i = 1; i <= n; ++i) all.push_back({cut, range(i), SIZE_MAX, "prefix"});
        for (std::size_t i = 0; i < n; ++i) all.push_back({cut, range(n, i), SIZE_MAX, "one lost"}), all.push_back({cut, {i}, SIZE_MAX, "one alone"});
        for (int k = 0; k < 4 && n > 2; ++k) {
            std::vector<std::size_t> some;
            for (std::size_t i = 0; i < n; ++i)
                if (dice() & 1) some.push_back(i);
            all.push_back({cut, some, SIZE_MAX, "subset"});
        }
        // A root page is written in place: it may be there to any byte.
        if (end.head.dsync && n)
            for (std::size_t torn = 8; torn < now.pending.back()->data.size(); torn += 8) all.push_back({cut, range(n), torn, "torn root"});
    }
    return all;
}

struct tally {
    std::map<std::string, int> looked_at, broken;
    std::vector<std::string> words;
    int images = 0, wrong = 0;
};

void look_at(recording const& r, std::size_t most, std::mt19937& dice, tally& t) {
    auto all = possibilities(r.tape, dice);
    std::shuffle(all.begin(), all.end(), dice);
    if (all.size() > most) all.resize(most);
    std::string const fast = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path().string();
    std::string dir = fast + "/airmail-power-XXXXXX";
    REQUIRE(::mkdtemp(dir.data()));
    for (auto const& p : all) {
        lay_out(cut_at(r.tape, p.cut).with(p.through, p.torn), dir);
        auto const broken = judged_apart(dir + "/hot", r, p.cut);
        ++t.images, ++t.looked_at[p.what];
        if (broken.empty()) continue;
        ++t.wrong, ++t.broken[p.what];
        if (t.words.size() < 10) t.words.push_back(std::string(p.what) + " at record " + std::to_string(p.cut) + ": " + broken);
    }
    std::filesystem::remove_all(dir);
}

std::string describe(tally const& t) {
    auto text = std::to_string(t.images) + " disks, " + std::to_string(t.wrong) + " wrong:";
    for (auto const& [what, n] : t.looked_at) text += " " + what + " " + std::to_string(n);
    for (auto const& w : t.words) text += "\n  " + w;
    return text;
}

}

TEST_CASE("E02: the power goes at any moment: the store opens, and everything acknowledged before is there, in order and once") {
    std::mt19937 dice{20261124};
    tally t;
    int const rounds = long_form() ? 50 : 1;
    for (int round = 0; round < rounds; ++round) {
        broker_process d{plain_house};
        auto const r = record(d, 300 + static_cast<int>(dice() % 200));
        look_at(r, long_form() ? 300 : 160, dice, t);
        // And the whole daemon on one of them, registry and all.
        auto const cut = r.tape[r.tape.size() / 2 + dice() % (r.tape.size() / 2)].head.number;
        auto const now = cut_at(r.tape, cut);
        lay_out(now.certain, d.dir() / "data");
        d.run_under({});
        auto const why = d.start_again();
        CHECK_MESSAGE(why.empty(), why);
        if (long_form()) MESSAGE("run " << round + 1 << ": " << describe(t));   // a long run that is cut short has told so far
    }
    MESSAGE(describe(t));
    CHECK(t.wrong == 0);
    CHECK(t.images >= rounds * 100);
}

TEST_CASE("the recorder sees: with syncs that lie, a power cut loses what was acknowledged") {
    std::mt19937 dice{7};
    tally t;
    broker_process d{plain_house};
    auto const r = record(d, 200, true);
    // Nothing was ever synced, so the disk may be as it was at any time: all of it pending, none of it certain.
    auto const now = cut_at(r.tape, r.tape.size());
    std::string dir = (std::filesystem::temp_directory_path() / "airmail-power-XXXXXX").string();
    REQUIRE(::mkdtemp(dir.data()));
    lay_out(now.with({}), dir);
    CHECK(judged_apart(dir + "/hot", r, r.tape.size()) == "the session is gone");
    std::vector<std::size_t> half;
    for (std::size_t i = 0; i < now.pending.size() / 2; ++i) half.push_back(i);
    lay_out(now.with(half), dir);
    CHECK_FALSE(judged_apart(dir + "/hot", r, r.tape.size()).empty());
    std::filesystem::remove_all(dir);
}
