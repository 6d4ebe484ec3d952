// airmailctl keys: the root-signed list of who may sign what. `rotate` needs the root keys and no broker; `publish` brings its result to the fleet.

#include "storage/firmware/files.hpp"
#include "storage/firmware/keys_json.hpp"
#include "tools/airmailctl/commands/keys.hpp"
#include "tools/airmailctl/firmware_keygen.hpp"
#include "tools/airmailctl/show.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <chrono>
#include <filesystem>
#include <fmt/core.h>

namespace airmail::ctl {

namespace json = boost::json;
namespace fw = storage::firmware;

namespace {

struct none {};
struct rotate_options { std::string dir; std::vector<std::string> roles; int days = 3650; bool revoke = false; };
struct publish_options { std::string file; };

template <class T> T must(fw::result<T> r, std::string const& what) {
    if (!r) throw trouble(exit_code::failed, what + ": " + r.error().message());
    return std::move(*r);
}

/// Every root key of the present list that lies in the directory: as many as its threshold asks for must.
std::vector<fw::private_key> roots_in(std::string const& dir, fw::key_list const& list) {
    std::vector<fw::private_key> out;
    auto const& kids = list.roles.at("root").kids;
    for (auto const& entry : std::filesystem::directory_iterator(dir)) {
        if (!entry.path().filename().string().starts_with("root") || entry.path().extension() != ".pem") continue;
        auto key = fw::private_key::load(entry.path());
        if (key && std::find(kids.begin(), kids.end(), key->kid()) != kids.end()) out.push_back(std::move(*key));
    }
    if (out.size() < list.roles.at("root").threshold)
        throw trouble(exit_code::refused, fmt::format("{}: {} of the root keys are here, and {} must sign", dir, out.size(), list.roles.at("root").threshold));
    return out;
}

void rotate(context const& c, rotate_options const& o) {
    auto const file = o.dir + "/keys.json";
    auto const old_text = must(fw::read_small_file(file, fw::secrecy::anyone), file);
    auto const old = must(fw::verify_keys(must(fw::envelope::parse(old_text), file), 0), file);
    auto signing = roots_in(o.dir, old);
    auto next = old;
    ++next.version;
    next.expires = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count() + std::int64_t{o.days} * 86'400;
    json::object made{{"version", next.version}, {"keys_json", file}};
    for (auto const& role : o.roles) {
        if (role != "root" && role != "release" && role != "command") throw trouble(exit_code::usage, "--replace: root, release or command, not " + role);
        auto const path = fmt::format("{}/{}-v{}.pem", o.dir, role, next.version);
        firmware_keygen(path);
        auto key = must(fw::private_key::load(path), path);
        auto& kids = next.roles[role].kids;
        if (kids.size() != 1 && role != "root") throw trouble(exit_code::refused, "the role " + role + " has several keys: edit the list by hand");
        if (o.revoke) next.revoked.push_back(kids.front());
        kids.front() = key.kid();
        next.keys.emplace(key.kid(), key.public_part());
        if (role == "root") signing.push_back(key);
        made[role + "_key"] = path;
    }
    // Signed by the roots of N and of N + 1 alike: a device that has N can believe it, and so can one that begins with it.
    auto const e = must(fw::seal(fw::keys_type, next.to_json(), signing), "keys.json");
    must(fw::verify_rotation(old, e, 0), "the new list");
    auto const kept = fmt::format("{}/keys-v{}.json", o.dir, old.version);
    if (auto done = fw::replace_file(kept, old_text, 0644); !done) throw trouble(exit_code::failed, kept + ": " + done.error().message());
    if (auto done = fw::replace_file(file, e.to_json() + "\n", 0644); !done) throw trouble(exit_code::failed, file + ": " + done.error().message());
    c.json ? json_line(made) : record(made);
}

}

void add_keys(command_line::command app, context& c) {
    auto keys = app.add_subcommand("keys", "who may sign releases and commands: the root-signed key list of the fleet");
    keys.require_subcommand();
    command<none>(keys, "show", "the broker's list, and how many devices hold which version", [](command_line::command, none&) {}, [&c](none const&) {
        auto v = c.broker().get("/api/v1/key-list");
        c.json ? json_line(v) : record(v);
    });
    command<rotate_options>(keys, "rotate", "version N + 1 of DIR/keys.json, signed by the roots of both; needs no broker", [](command_line::command s, rotate_options& o) {
        s.add_option("--dir", o.dir, "directory with keys.json and the root keys").required();
        s.add_option("--replace", o.roles, "role that gets a new key: release, command, root (repeatable)");
        s.add_flag("--revoke", o.revoke, "the keys that are replaced are revoked: nothing they have signed is believed");
        s.add_option("--days", o.days, "life of the new list").show_default();
    }, [&c](rotate_options const& o) { rotate(c, o); });
    command<publish_options>(keys, "publish", "gives the next list to the broker, and so to every device", [](command_line::command s, publish_options& o) { s.add_option("file", o.file).required(); },
        [&c](publish_options const& o) {
            boost::system::error_code ec;
            auto const envelope = json::parse(must(fw::read_small_file(o.file, fw::secrecy::anyone), o.file), ec);
            if (ec) throw trouble(exit_code::usage, o.file + " is not JSON");
            auto v = c.broker().post("/api/v1/key-list", json::object{{"envelope", envelope}});
            c.json ? json_line(v) : record(v);
        });
}

}
