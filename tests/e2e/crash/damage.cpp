// E05, E09: bytes that change by themselves, files that are cut, and stores of earlier formats.

#include "storage/store.hpp"
#include "tests/e2e/crash/lab.hpp"

#include <cstring>
#include <future>
#include <random>

using namespace airmail::testing;
namespace storage = airmail::storage;

namespace {

/// What a store holds, as one text: the same text, the same contents.
struct contents {
    std::string text;
    std::uint64_t damaged = 0;
    std::string refused;
};

constexpr auto frozen_wall = [] { return std::int64_t{1'800'000'000'000}; };

contents open_and_list(std::string const& hot) {
    std::vector<std::string> lines;
    std::vector<storage::lsn> owed;
    storage::recovery r;
    r.on_session = [&](storage::session_record&& s) { lines.push_back("session " + std::to_string(s.number) + " " + s.identity + " " + s.client_id + (s.will ? " will " + s.will->topic : "")); };
    r.on_subscription = [&](storage::subscription_record&& s) { lines.push_back("subscription " + std::to_string(s.session) + " " + s.filter); };
    r.on_reference = [&](storage::lsn at, storage::reference const& ref, storage::delivery_state state, std::uint16_t id, std::uint32_t, std::int64_t) {
        owed.push_back(at);
        lines.push_back("owed " + std::to_string(at) + " to " + std::to_string(ref.session) + " state " + std::to_string(static_cast<int>(state)) + " id " + std::to_string(id));
    };
    r.on_retained = [&](storage::lsn at, storage::message_ptr m) { lines.push_back("retained " + std::to_string(at) + " " + std::string{m->topic()}); };
    r.on_qos2_in = [&](storage::session_number n, std::uint16_t id) { lines.push_back("qos2 " + std::to_string(n) + " " + std::to_string(id)); };
    contents out;
    auto s = storage::store::open({.directory = hot, .map_bytes = 64u << 20, .wall_ms = frozen_wall}, r, out.refused);
    if (!s) return out.refused = out.refused.empty() ? "no words" : out.refused, out;
    out.refused.clear();
    auto& port = (*s)->make_port([](std::function<void()> f) { f(); }, [](storage::durable&&) {});
    (*s)->start();
    for (std::size_t i = 0; i < owed.size(); i += 256) {
        std::vector<storage::lsn> some(owed.begin() + static_cast<std::ptrdiff_t>(i), owed.begin() + static_cast<std::ptrdiff_t>(std::min(owed.size(), i + 256)));
        std::promise<std::vector<storage::message_ptr>> got;
        port.fetch(some, [&](std::vector<storage::message_ptr> m) { got.set_value(std::move(m)); });
        for (auto const& m : got.get_future().get()) lines.push_back(m ? std::string{m->topic()} + std::string{m->payload().begin(), m->payload().end()} : "unreadable");
    }
    // And it takes more: free pages are used again.
    std::promise<boost::system::error_code> stored;
    storage::put_message p{.body = storage::message::make({.qos = 1, .topic = "more"}), .references = {{.session = 1}}};
    (*s)->submit(std::move(p), [&](boost::system::error_code ec, storage::lsn) { stored.set_value(ec); });
    if (auto ec = stored.get_future().get()) lines.push_back("not stored: " + ec.message());
    (*s)->stop();
    out.damaged = (*s)->stats().records_damaged;
    for (auto const& l : lines) out.text += l + "\n";
    return out;
}

/// A store with something of every kind, of at least so many bytes, closed in order.
void fill(std::string const& hot, std::size_t bytes) {
    std::string why;
    auto s = storage::store::open({.directory = hot, .map_bytes = 64u << 20, .wall_ms = frozen_wall}, {}, why);
    REQUIRE_MESSAGE(s.has_value(), why);
    (*s)->start();
    auto put = [&](storage::change c) {
        std::promise<storage::lsn> at;
        (*s)->submit(std::move(c), [&](boost::system::error_code ec, storage::lsn l) { at.set_value(ec ? 0 : l); });
        return at.get_future().get();
    };
    for (storage::session_number n = 1; n <= 8; ++n) {
        storage::session_record r;
        r.number = n, r.client_id = "client-" + std::to_string(n), r.identity = "identity-" + std::to_string(n), r.expiry_s = 86'400;
        if (n == 3) r.will = storage::session_record::will_record{.topic = "last/words", .payload = {'o', 'h'}, .qos = 1};
        put(storage::put_session{r});
        put(storage::put_subscription{{.session = n, .filter = "things/" + std::to_string(n) + "/#", .options = 1}});
    }
    std::mt19937 dice{5};
    std::vector<std::pair<storage::lsn, storage::session_number>> settled;
    for (int i = 0; i < 20 || std::filesystem::file_size(hot + "/data.mdb") < bytes; ++i) {
        auto const payload = std::to_string(i) + std::string(i % 23 == 0 ? 9'000 : dice() % 700, 'x');   // some need pages of their own
        storage::message_fields f{.qos = 1, .topic = "things/all", .payload = {reinterpret_cast<std::uint8_t const*>(payload.data()), payload.size()}};
        auto const topic = "kept/" + std::to_string(i % 9);
        if (i % 7 == 0) f.topic = topic;
        storage::put_message p{.body = storage::message::make(f)};
        for (storage::session_number n = 1; n <= 8; ++n)
            if ((i + n) % 3 == 0) p.references.push_back({.session = n});
        p.retain_set = i % 7 == 0;
        if (i % 11 == 0) p.qos2_in = {1 + i % 8, static_cast<std::uint16_t>(i % 60'000 + 1)};
        auto const first = p.references.empty() ? 0 : p.references.front().session;
        auto const at = put(std::move(p));
        if (first && i % 4 == 0) settled.push_back({at, first});
        if (settled.size() > 10) put(storage::settle{settled.front().first, settled.front().second}), settled.erase(settled.begin());
    }
    (*s)->stop();
}

std::vector<char> bytes_of(std::string const& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// What became of a store that was opened in a process of its own.
enum class fate { whole, named, refused, refused_badly, silent, crashed };

fate opened_apart(std::string const& hot, std::string const& whole) {
    pid_t const child = ::fork();
    if (child == 0) {
        auto const c = open_and_list(hot);
        auto of = [&] {
            if (!c.refused.empty()) return c.refused.find("data.mdb") != std::string::npos && c.refused.find("airmailctl restore") != std::string::npos ? fate::refused : fate::refused_badly;
            if (c.damaged) return fate::named;
            return c.text == whole ? fate::whole : fate::silent;
        };
        auto const f = of();
        if (f == fate::refused_badly) (void)!::write(2, (c.refused + "\n").data(), c.refused.size() + 1);
        ::_exit(static_cast<int>(f));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) <= 4 ? static_cast<fate>(WEXITSTATUS(status)) : fate::crashed;
}

/// A pristine store on the fastest disk there is, laid out again for each try.
class specimen {
public:
    explicit specimen(std::size_t bytes) {
        std::string const fast = std::filesystem::is_directory("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path().string();
        dir_ = fast + "/airmail-damage-XXXXXX";
        REQUIRE(::mkdtemp(dir_.data()));
        fill(hot(), bytes);
        data = bytes_of(hot() + "/data.mdb");
        instance_ = bytes_of(hot() + "/instance");
        // In a process of its own: nothing that one opener leaves in memory may help the next.
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        pid_t const child = ::fork();
        if (child == 0) {
            auto const c = open_and_list(hot());
            auto const all = c.refused + c.text;
            for (std::size_t n = 0; n < all.size();) {
                auto const wrote = ::write(ends[1], all.data() + n, all.size() - n);
                if (wrote <= 0) break;
                n += static_cast<std::size_t>(wrote);
            }
            ::_exit(0);
        }
        ::close(ends[1]);
        char piece[65536];
        for (ssize_t n; (n = ::read(ends[0], piece, sizeof piece)) > 0;) whole_.append(piece, static_cast<std::size_t>(n));
        ::close(ends[0]);
        ::waitpid(child, nullptr, 0);
    }
    ~specimen() { std::filesystem::remove_all(dir_); }
    std::string hot() const { return dir_ + "/hot"; }
    std::string const& whole() const { return whole_; }
    fate with(std::vector<char> const& bytes) {
        std::ofstream(hot() + "/data.mdb", std::ios::binary | std::ios::trunc).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        std::ofstream(hot() + "/instance", std::ios::binary | std::ios::trunc).write(instance_.data(), static_cast<std::streamsize>(instance_.size()));
        return opened_apart(hot(), whole_);
    }
    std::vector<char> data;

private:
    std::string dir_, whole_;
    std::vector<char> instance_;
};

std::string describe(std::map<fate, int>& n) {
    return "whole " + std::to_string(n[fate::whole]) + ", record named " + std::to_string(n[fate::named]) + ", refused with the way out " + std::to_string(n[fate::refused]) +
           ", refused without " + std::to_string(n[fate::refused_badly]) + ", silently less " + std::to_string(n[fate::silent]) + ", crashed " + std::to_string(n[fate::crashed]);
}

}

TEST_CASE("E05: one bit flips anywhere in a store of a megabyte: named and skipped, or refused with the way out; never a crash, never silently less") {
    specimen s(1 << 20);
    REQUIRE(s.with(s.data) == fate::whole);
    std::mt19937 dice{11};
    std::map<fate, int> seen;
    std::vector<std::string> words;
    // Sampled; in the long form the root pages byte by byte, and every eighth byte of the rest.
    std::vector<std::size_t> where;
    for (std::size_t i = 0; i < 160; i += long_form() ? 1 : 16) where.push_back(i), where.push_back(4096 + i);
    std::size_t const step = long_form() ? 8 : s.data.size() / 24;
    for (std::size_t i = 8192; i < s.data.size(); i += step) where.push_back(i + dice() % std::min(step, s.data.size() - i));
    // And the heads of pages, where a tree is easily lost.
    for (std::size_t page = 2; page < s.data.size() / 4096; page += long_form() ? 1 : 40)
        for (std::size_t i = 0; i < 32; i += long_form() ? 1 : 8) where.push_back(page * 4096 + i);
    for (auto const at : where) {
        auto bytes = s.data;
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << dice() % 8));
        auto const f = s.with(bytes);
        ++seen[f];
        if (f >= fate::refused_badly && words.size() < 20) words.push_back("byte " + std::to_string(at) + " (page " + std::to_string(at / 4096) + "): " + (f == fate::silent ? "silently less" : f == fate::crashed ? "crashed" : "no way out"));
    }
    MESSAGE(where.size() << " flips in " << s.data.size() << " bytes: " << describe(seen));
    for (auto const& w : words) MESSAGE(w);
    CHECK(seen[fate::crashed] == 0);
    CHECK(seen[fate::silent] == 0);
    CHECK(seen[fate::refused_badly] == 0);
    CHECK(seen[fate::named] > 0);
    CHECK(seen[fate::refused] > 0);
}

TEST_CASE("E05: the file is cut at any page: refused with the way out, or nothing was there") {
    specimen s(1 << 20);
    std::map<fate, int> seen;
    for (std::size_t page = 1; page < s.data.size() / 4096; page += long_form() ? 1 : 9) {
        auto const f = s.with({s.data.begin(), s.data.begin() + static_cast<std::ptrdiff_t>(page * 4096)});
        ++seen[f];
        CHECK_MESSAGE((f == fate::refused || f == fate::whole), "cut at page " << page << ": " << static_cast<int>(f));
    }
    MESSAGE(describe(seen));
    CHECK(seen[fate::refused] > 0);
}

TEST_CASE("E09: a store of format 1, written on 2026-11-24, opens, and everything is there") {
    std::string const fixture = std::string(AIRMAIL_FIXTURES) + "/1";
    if (std::getenv("AIRMAIL_WRITE_FIXTURE")) {   // once, for a new format: what is written here is never changed again
        temp_dir t;
        fill(t / "hot", 0);
        std::filesystem::create_directories(fixture);
        for (auto const* name : {"data.mdb", "instance"}) std::filesystem::copy_file(t / "hot/" + name, fixture + "/" + name);
        auto const c = open_and_list(t / "hot");
        std::ofstream(fixture + "/contents.txt") << c.text;
    }
    temp_dir t;
    std::filesystem::create_directories(t / "hot");
    for (auto const* name : {"data.mdb", "instance"}) std::filesystem::copy_file(fixture + "/" + name, t / "hot/" + name);
    auto const c = open_and_list(t / "hot");
    CHECK(c.refused.empty());
    CHECK(c.damaged == 0);
    auto const expected = bytes_of(fixture + "/contents.txt");
    CHECK(c.text == std::string(expected.begin(), expected.end()));
    CHECK(c.text.find("will last/words") != std::string::npos);
}
