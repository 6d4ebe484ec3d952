// airmailctl firmware: keys, signing, upload. Signing needs no broker: the release key stays where releases are made.

#include "storage/firmware/release_manifest.hpp"
#include "storage/firmware/signature.hpp"
#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/show.hpp"

#include <chrono>
#include <fmt/core.h>
#include <fstream>

namespace airmail::ctl {

namespace json = boost::json;
namespace fw = storage::firmware;

namespace {

struct keygen_options { std::string out; };
struct sign_options {
    std::string image, out, version, min_from, name = "image";
    std::vector<std::string> models, hw, keys;
    std::uint64_t counter = 0;
};
struct upload_options { std::string file, version, model; };
struct list_options { std::string model, version; int limit = 50; };
struct id_options { std::string id; };

template <class T> T value_or_trouble(fw::result<T> r, std::string const& what) {
    if (!r) throw trouble(exit_code::failed, what + ": " + r.error().message());
    return std::move(*r);
}

void keygen(context const& c, keygen_options const& o) {
    auto key = value_or_trouble(fw::private_key::generate(), "cannot make a key");
    if (auto saved = key.save_new(o.out); !saved) throw trouble(exit_code::failed, "cannot write " + o.out + ": " + saved.error().message() + " (an existing key is never overwritten)");
    auto const pub = o.out + ".pub";
    std::ofstream(pub) << key.public_part().pem();
    json::object v{{"private_key", o.out}, {"public_key", pub}, {"kid", key.kid()}, {"algorithm", std::string(fw::name_of(key.alg()))}};
    c.json ? json_line(v) : record(v);
}

void sign(context const& c, sign_options const& o) {
    std::vector<fw::private_key> keys;
    for (auto const& path : o.keys) keys.push_back(value_or_trouble(fw::private_key::load(path), "cannot use key " + path));
    fw::release_manifest m;
    m.model = o.models;
    m.hw = o.hw;
    m.version = o.version;
    m.security_counter = o.counter;
    m.min_from_version = o.min_from;
    m.components.push_back({o.name, {}, 0});
    m.created = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    auto const out = o.out.empty() ? o.image + ".release" : o.out;
    auto const made = value_or_trouble(fw::sign_release_file(o.image, out, m, keys), "cannot sign " + o.image);
    json::object v{{"release", out}, {"version", made.manifest.version}, {"image_bytes", made.image_bytes}, {"kid", keys.front().kid()}};
    c.json ? json_line(v) : record(v);
}

}

void add_firmware(command_line::command app, context& c) {
    auto firmware = app.add_subcommand("firmware", "release files: sign, upload, list");
    firmware.require_subcommand();
    command<keygen_options>(firmware, "keygen", "a new Ed25519 release key: FILE (0600) and FILE.pub", [](command_line::command s, keygen_options& o) { s.add_option("file", o.out).required(); },
        [&c](keygen_options const& o) { keygen(c, o); });
    command<sign_options>(firmware, "sign", "append a signed release manifest to an image", [](command_line::command s, sign_options& o) {
        s.add_option("image", o.image, "the image file").required();
        s.add_option("--key", o.keys, "release key (repeatable)").required();
        s.add_option("--version", o.version, "version of the release").required();
        s.add_option("--model", o.models, "model it is for (repeatable)").required();
        s.add_option("--hw", o.hw, "hardware revision (repeatable; default all)");
        s.add_option("--security-counter", o.counter, "devices refuse less than their own").show_default();
        s.add_option("--min-from", o.min_from, "oldest version that may update to it");
        s.add_option("--component", o.name, "name of the image component").show_default();
        s.add_option("-o,--out", o.out, "release file (default: IMAGE.release)");
    }, [&c](sign_options const& o) { sign(c, o); });
    command<upload_options>(firmware, "upload", "store a release file on the broker; goes on where a lost connection has cut it", [](command_line::command s, upload_options& o) {
        s.add_option("file", o.file).required();
        s.add_option("--version", o.version, "for an unsigned file, where the broker allows it");
        s.add_option("--model", o.model, "for an unsigned file, where the broker allows it");
    }, [&c](upload_options const& o) {
        std::string query;
        if (!o.version.empty()) query = "?version=" + encoded(o.version) + "&model=" + encoded(o.model);
        bar progress(o.file);
        auto v = c.broker().upload(query, o.file, [&](std::uint64_t sent, std::uint64_t total) { progress.update(sent, total, fmt::format("{} of {} KiB", sent / 1024, total / 1024)); });
        c.json ? json_line(v) : record(v);
    });
    command<list_options>(firmware, "list", "what the broker has", [](command_line::command s, list_options& o) {
        s.add_option("--model", o.model);
        s.add_option("--version", o.version);
        s.add_option("--limit", o.limit).show_default();
    }, [&c](list_options const& o) {
        auto v = c.broker().get(fmt::format("/api/v1/firmware?limit={}{}{}", o.limit, o.model.empty() ? "" : "&model=" + encoded(o.model), o.version.empty() ? "" : "&version=" + encoded(o.version)));
        c.json ? json_line(v) : table(v.at("firmware"), {{"FIRMWARE", "firmware_id"}, {"VERSION", "version"}, {"MODELS", "models"}, {"BYTES", "size_bytes"}, {"SIGNED", "signed"}, {"COUNTER", "security_counter"}, {"UPLOADED", "uploaded_at"}});
    });
    command<id_options>(firmware, "delete", "remove one that no campaign uses", [](command_line::command s, id_options& o) { s.add_option("id", o.id, "firmware_id").required(); },
        [&c](id_options const& o) {
            auto v = c.broker().del("/api/v1/firmware/" + encoded(o.id));
            c.json ? json_line(v) : record(v);
        });
}

}
