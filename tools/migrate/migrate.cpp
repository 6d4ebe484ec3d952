#include "tools/migrate/migrate.hpp"

#include "acl/password.hpp"
#include "acl/rule.hpp"
#include "broker/config/check.hpp"
#include "broker/config/parse.hpp"
#include "tools/migrate/dynsec.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/core.h>
#include <fstream>
#include <openssl/sha.h>
#include <sstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail::migrate {
namespace {

namespace fs = std::filesystem;
using storage::store;

constexpr std::uint32_t marks = 0xFFFFFFF0;   // where the store remembers what was imported; no plugin has this number

std::int64_t wall_ms() { return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string read(std::string const& path) {
    std::ifstream in{path, std::ios::binary};
    if (!in || fs::is_directory(path)) throw trouble{trouble::kind::not_found, path + ": " + (in ? "is a directory" : std::strerror(errno))};
    std::ostringstream all;
    all << in.rdbuf();
    return std::move(all).str();
}

/// Whole or not at all; the same bytes again are no change.
void write(std::string const& path, std::string const& text, mode_t mode) {
    auto const part = path + ".part";
    {
        int const fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
        bool const good = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
        if (fd >= 0) ::close(fd);
        if (!good) throw trouble{trouble::kind::failed, part + ": " + std::strerror(errno)};
    }
    if (::rename(part.c_str(), path.c_str()) != 0) throw trouble{trouble::kind::failed, path + ": " + std::strerror(errno)};
}

/// `plugin ...dynamic_security.so` and its file, if the configuration has them; line by line, since for airmaild a plugin of
/// Mosquitto is an error.
struct dynsec_lines {
    std::string file;
    std::string rest;     // the configuration without them
};

dynsec_lines find_dynsec(std::string const& text) {
    dynsec_lines out;
    std::istringstream in{text};
    bool inside = false;
    for (std::string line; std::getline(in, line);) {
        auto const key = line.substr(0, line.find_first_of(" \t"));
        bool const plugin = key == "plugin" || key == "global_plugin" || key == "auth_plugin";
        if (plugin) inside = line.find("mosquitto_dynamic_security.so") != line.npos;
        bool const option = inside && (key.starts_with("plugin_opt_") || key.starts_with("auth_opt_"));
        if (option && (key == "plugin_opt_config_file" || key == "auth_opt_config_file")) {
            auto const at = line.find_first_not_of(" \t", key.size());
            out.file = at == line.npos ? "" : line.substr(at, line.find_last_not_of(" \t\r") + 1 - at);
        }
        out.rest += (inside && (plugin || option) ? "# (migrated) " : "") + line + "\n";
    }
    return out;
}

std::string digest(std::string const& bytes) {
    unsigned char d[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<unsigned char const*>(bytes.data()), bytes.size(), d);
    return {reinterpret_cast<char const*>(d), sizeof d};
}

/// Our lock on the data folder, as airmaild takes it.
class lock {
public:
    explicit lock(std::string const& directory) {
        auto const path = directory + "/lock";
        fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd_ < 0) throw trouble{trouble::kind::failed, path + ": " + std::strerror(errno)};
        if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) throw trouble{trouble::kind::refused, directory + " is in use: stop airmaild first"};
    }
    ~lock() { ::close(fd_); }
    lock(lock const&) = delete;

private:
    int fd_ = -1;
};

void fill_store(request const& r, std::string const& directory, std::string const& path, std::uint64_t map_bytes, result& out) {
    auto const file = read(path);
    std::string why;
    auto const db = read_mosquitto_db({reinterpret_cast<std::uint8_t const*>(file.data()), file.size()}, why);
    if (!db) throw trouble{trouble::kind::failed, path + ": " + why};
    out.had_db = true;
    if (r.dry_run) {
        out.counts = {db->clients.size(), db->subscriptions.size(), db->retained.size(), db->client_messages.size(), 0};
        return;
    }
    std::error_code ec;
    fs::create_directories(directory, ec);
    if (ec || ::chmod(directory.c_str(), 0700) != 0) throw trouble{trouble::kind::failed, directory + ": " + (ec ? ec.message() : std::strerror(errno))};
    lock const held{directory};
    storage::store_options o;
    o.directory = directory + "/hot";
    o.map_bytes = map_bytes;
    o.wall_ms = wall_ms;
    std::size_t living = 0;
    storage::recovery what;
    what.on_session = [&](storage::session_record&&) { ++living; };
    what.on_subscription = [](storage::subscription_record&&) {};
    what.on_reference = [](storage::lsn, storage::reference const&, storage::delivery_state, std::uint16_t, std::uint32_t, std::int64_t) {};
    what.on_retained = [&](storage::lsn, storage::message_ptr) { ++living; };
    what.on_qos2_in = [](storage::session_number, std::uint16_t) {};
    auto opened = store::open(o, what, why);
    if (!opened) throw trouble{trouble::kind::failed, o.directory + ": " + (why.empty() ? opened.error().message() : why)};
    auto& s = **opened;
    auto const mark = digest(file);
    bool begun = false;
    s.scan_state(marks, [&](std::uint64_t key, std::vector<std::uint8_t> v) {
        begun = true;
        if (key == 1 && std::string{v.begin(), v.end()} == mark) out.done_before = true;
    });
    if (out.done_before) return out.said.maps(path, "is in the store already; nothing to do");
    if (living || begun) throw trouble{trouble::kind::refused, directory + " holds sessions or retained messages already, of another file: give an empty folder (--store), or move it away"};
    s.start();
    auto const counts = import_db(*db, s, wall_ms() / 1000, out.said, why);
    if (counts) {
        s.submit(storage::put_state{marks, 1, {mark.begin(), mark.end()}}, [](boost::system::error_code, storage::lsn) {});
        out.counts = *counts;
    }
    s.stop();
    if (!counts) {
        fs::remove_all(o.directory, ec);   // half an import must not look like a store
        throw trouble{trouble::kind::failed, o.directory + ": " + why};
    }
}

void judge_files(config::config const& c, report& say) {
    std::vector<std::string> seen;
    auto const once = [&](std::string const& path) {
        if (path.empty() || std::find(seen.begin(), seen.end(), path) != seen.end()) return false;
        return seen.push_back(path), true;
    };
    for (auto const& l : c.listeners()) {
        if (std::string const path{l.text("acl_file")}; once(path)) {
            acl::ruleset rules;
            bool good = true;
            for (auto const& x : rules.parse(read(path), path)) {
                good &= !x.fatal;
                (x.fatal ? say.refused(path + ":" + std::to_string(x.line), x.text) : say.changed(path + ":" + std::to_string(x.line), x.text));
            }
            if (good) say.maps(path, std::to_string(rules.rules().size()) + " rules are used as they are");
        }
        if (std::string const path{l.text("password_file")}; once(path)) {
            std::vector<acl::complaint> complaints;
            auto const users = acl::password_file::parse(read(path), complaints);
            for (auto const& x : complaints) (x.fatal ? say.refused(path + ":" + std::to_string(x.line), x.text) : say.changed(path + ":" + std::to_string(x.line), x.text));
            say.maps(path, std::to_string(users.size()) + " users with their passwords");
        }
    }
}

}

namespace {

void bring_over(request const& r, result& out) {
    auto const text = read(r.conf);
    auto const parts = find_dynsec(text);
    bool const dynamic = parts.rest != text && !parts.file.empty();
    auto const folder = r.out.empty() ? (fs::absolute(r.conf).parent_path() / "airmail").string() : r.out;
    std::string conf = r.conf;
    std::string fresh = parts.rest;
    if (dynamic) {
        std::string why;
        auto made = convert_dynsec(read(parts.file), parts.file, out.said, why);
        if (!made) throw trouble{trouble::kind::failed, why};
        auto const rules = folder + "/acl", users = folder + "/passwords";
        fresh += "\n# Made from " + parts.file + "\nacl_file " + rules + "\npassword_file " + users + "\n";
        acl::ruleset check;
        for (auto const& x : check.parse(made->rules, rules))
            if (x.fatal) throw trouble{trouble::kind::failed, rules + ":" + std::to_string(x.line) + ": " + x.text};
        if (!r.dry_run) {
            std::error_code ec;
            fs::create_directories(folder, ec);
            if (ec) throw trouble{trouble::kind::failed, folder + ": " + ec.message()};
            write(rules, made->rules, 0640);
            write(users, made->passwords, 0600);
            conf = folder + "/mosquitto.conf";
            write(conf, fresh, 0644);
        }
    }
    out.configuration = conf;
    config::sources from;
    from.files = {r.conf};
    auto const once = [&](std::string const& path, std::string& why) -> std::optional<std::string> {
        if (path == r.conf) return fresh;
        try {
            return read(path);
        } catch (trouble const& t) {
            return why = t.text, std::nullopt;
        }
    };
    from.read = once;
    auto const c = config::parse(from);
    bool bad = false;
    for (auto const& f : c.findings()) {
        auto const where = f.line ? f.file + ":" + std::to_string(f.line) : f.file;
        bool const error = f.weight == config::finding::grade::error;
        bad |= error;
        (error ? out.said.refused(where, f.text) : out.said.changed(where, f.text));
    }
    for (auto const& l : c.listeners()) out.said.maps("listener", l.name());
    for (auto const& b : c.bridges()) out.said.maps("connection", b.name + " to " + b.addresses.front().host);
    if (!dynamic) judge_files(c, out.said);
    // A refused line stops a start; the store is not touched before that is settled.
    if (bad) throw trouble{trouble::kind::refused, {}};
    std::string location{c.text("persistence_location")};
    while (location.size() > 1 && location.back() == '/') location.pop_back();
    auto const db = !r.db.empty() ? r.db : (location.empty() ? std::string{"."} : location) + "/" + std::string(c.text("persistence_file"));
    auto const store_path = !r.store.empty() ? r.store : c.written("store_path") || location.empty() ? std::string(c.text("store_path")) : location + "/airmail";
    if (fs::exists(db)) fill_store(r, store_path, db, c.size("store_map_size"), out);
    else if (!r.db.empty()) throw trouble{trouble::kind::not_found, db + ": no such file"};
    else out.said.maps(db, "does not exist: no sessions and no retained messages to bring over");
    if (out.had_db && !out.done_before)
        out.said.maps(db, fmt::format("{} sessions, {} subscriptions, {} retained messages, {} waiting messages to {}", out.counts.sessions, out.counts.subscriptions, out.counts.retained, out.counts.waiting, store_path));
}

}

result mosquitto(request const& r) {
    result out;
    try {
        bring_over(r, out);
    } catch (trouble const& t) {
        throw stopped{std::move(out), t};
    }
    return out;
}

}
