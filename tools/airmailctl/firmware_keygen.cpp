#include "tools/airmailctl/firmware_keygen.hpp"

#include "storage/firmware/files.hpp"

#include <cerrno>
#include <cstring>
#include <sys/stat.h>

namespace airmail::ctl {

using namespace storage::firmware;

namespace {

void must(result<void> const& r, std::string const& path) {
    if (!r) throw failure(exit_code::failed, path + ": " + r.error().message() + (r.error() == errc::io ? " (or exists already)" : ""));
}

private_key make(std::string const& path, algorithm a) {
    auto key = private_key::generate(a);
    if (!key) throw failure(exit_code::failed, "cannot make a key: " + key.error().message());
    must(key->save_new(path), path);
    must(write_new_file(path + ".pub", key->public_part().pem(), 0644), path + ".pub");
    return *key;
}

}

std::string firmware_keygen(std::string const& path, algorithm a) { return make(path, a).kid(); }

trust_paths make_trust(std::string const& directory, trust_options const& o) {
    if (o.root_keys < 1 || o.root_keys > 8 || o.root_threshold < 1 || o.root_threshold > o.root_keys)
        throw failure(exit_code::usage, "1 to 8 root keys, and a threshold not above their number");
    if (o.expires <= 0) throw failure(exit_code::usage, "keys.json needs a date on which it expires");
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
        throw failure(exit_code::failed, directory + ": cannot be made: " + std::strerror(errno));
    trust_paths p;
    key_list list;
    list.expires = o.expires;
    std::vector<private_key> roots;
    auto add = [&](std::string const& name, char const* role) {
        auto path = directory + "/" + name + ".pem";
        auto key = make(path, algorithm::ed25519);
        list.keys.emplace(key.kid(), key.public_part());
        list.roles[role].kids.push_back(key.kid());
        if (role == std::string_view("root")) roots.push_back(key);
        return path;
    };
    for (std::size_t i = 1; i <= o.root_keys; ++i) p.root.push_back(add("root" + std::to_string(i), "root"));
    list.roles["root"].threshold = o.root_threshold;
    p.release = add("release", "release");
    p.command = add("command", "command");
    auto e = seal(keys_type, list.to_json(), roots);
    if (!e) throw failure(exit_code::failed, "cannot sign keys.json: " + e.error().message());
    p.keys_json = directory + "/keys.json";
    must(write_new_file(p.keys_json, e->to_json() + "\n", 0644), p.keys_json);
    return p;
}

}
