// airmailctl ca: certificates for servers and devices, their revocation, and the first set of signing keys. Needs no broker.

#include "storage/firmware/files.hpp"
#include "storage/firmware/signed_url.hpp"
#include "tools/airmailctl/ca.hpp"
#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/device_bundle.hpp"
#include "tools/airmailctl/firmware_keygen.hpp"
#include "tools/airmailctl/show.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <chrono>
#include <filesystem>
#include <fmt/core.h>
#include <sys/stat.h>

namespace airmail::ctl {

namespace json = boost::json;
namespace fw = storage::firmware;

namespace {

struct init_options { std::string dir, name = "Airmail CA"; int days = 7300, roots = 1, threshold = 1, keys_days = 3650; bool no_keys = false; };
struct server_options { std::string dir, out; std::vector<std::string> names; int days = 825; };
struct device_options { std::string dir, out, host; std::vector<std::string> serials; int days = 3650, port = 8883; bool bundle = false; };
struct revoke_options { std::string dir, what; };
struct list_options { std::string dir; };

std::int64_t now_s() { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

void make_directory(std::string const& path) {
    std::error_code ec;
    std::filesystem::create_directories(path, ec);
    if (ec) throw failure(exit_code::failed, path + ": cannot be made: " + ec.message());
}

void print(context const& c, json::value const& v) { c.json ? json_line(v) : record(v); }

/// The CA, and beside it (DIR/keys) the keys that sign releases, commands and URLs: all a first broker needs.
void init(context const& c, init_options const& o) {
    if (auto parent = std::filesystem::path(o.dir).parent_path(); !parent.empty()) make_directory(parent);
    ca_options how;
    how.common_name = o.name;
    how.days = o.days;
    auto ca = certificate_authority::create(o.dir, how);
    ca.make_crl(std::min(o.days, 3650));  // empty, and good for as long as a list can be: `ca revoke` writes the next
    json::object v{{"ca_certificate", o.dir + "/ca.crt"}, {"ca_key", o.dir + "/ca.key"}, {"crl", o.dir + "/ca.crl"}};
    if (!o.no_keys) {
        trust_options t;
        t.root_keys = static_cast<std::size_t>(o.roots);
        t.root_threshold = static_cast<std::size_t>(o.threshold);
        t.expires = now_s() + std::int64_t{o.keys_days} * 86'400;
        auto const made = make_trust(o.dir + "/keys", t);
        auto const url_keys = o.dir + "/keys/url_keys.json";
        if (auto ring = fw::url_key_ring::load_or_create(url_keys, now_s()); !ring) throw failure(exit_code::failed, url_keys + ": " + ring.error().message());
        json::array roots;
        for (auto const& r : made.root) roots.push_back(json::value(r));
        v["root_keys"] = roots;
        v["release_key"] = made.release;
        v["release_public_key"] = made.release + ".pub";
        v["command_key"] = made.command;
        v["url_keys"] = url_keys;
        v["keys_json"] = made.keys_json;
    }
    print(c, v);
    if (!c.json && !o.no_keys) std::fputs("Take the root keys offline; the release key belongs where releases are made, not on the broker.\n", stderr);
}

void server(context const& c, server_options const& o) {
    auto ca = certificate_authority::open(o.dir);
    auto const made = ca.issue_server(o.names, o.days);
    auto const stem = o.out.empty() ? o.dir + "/server" : o.out;
    write_issued(made, stem);
    print(c, json::object{{"certificate", stem + ".crt"}, {"key", stem + ".key"}, {"serial", made.serial}, {"not_after_at", made.not_after}});
}

json::object one_device(certificate_authority& ca, device_options const& o, std::string const& serial, std::string const& out) {
    json::object v{{"device", serial}};
    auto const stem = out + "/" + serial;
    if (o.bundle) {
        auto const b = issue_bundle(ca, o.dir, serial, o.days, o.host.empty() ? "localhost" : o.host, static_cast<std::uint16_t>(o.port));
        b.save(stem + ".pem");
        v["serial"] = ca.list().back().serial;
        v["bundle"] = stem + ".pem";
    } else {
        auto const made = ca.issue_device(serial, o.days);
        write_issued(made, stem);
        v["serial"] = made.serial;
        v["certificate"] = stem + ".crt";
        v["key"] = stem + ".key";
    }
    return v;
}

void devices(context const& c, device_options const& o) {
    auto const out = o.out.empty() ? o.dir + "/devices" : o.out;
    make_directory(out);
    ::chmod(out.c_str(), 0700);
    auto ca = certificate_authority::open(o.dir);
    json::array list;
    for (auto const& serial : o.serials) list.push_back(one_device(ca, o, serial, out));
    if (c.json) return json_line(json::object{{"devices", list}});
    table(list, {{"DEVICE", "device"}, {"SERIAL", "serial"}, o.bundle ? column{"BUNDLE", "bundle"} : column{"CERTIFICATE", "certificate"}});
}

void list(context const& c, list_options const& o) {
    json::array rows;
    for (auto const& e : certificate_authority::open(o.dir).list()) {
        json::object v{{"serial", e.serial}, {"id", e.id}, {"kind", e.kind == certificate_kind::server ? "server" : "device"}, {"issued_at", e.issued_at}, {"not_after_at", e.not_after}};
        v["revoked_at"] = e.revoked_at ? json::value(*e.revoked_at) : json::value(nullptr);
        rows.push_back(std::move(v));
    }
    if (c.json) return json_line(json::object{{"certificates", rows}});
    table(rows, {{"SERIAL", "serial"}, {"NAME", "id"}, {"KIND", "kind"}, {"ISSUED", "issued_at"}, {"NOT AFTER", "not_after_at"}, {"REVOKED", "revoked_at"}});
}

}

void add_ca(command_line::command app, context& c) {
    auto ca = app.add_subcommand("ca", "certificates for servers and devices, and signing keys; needs no broker");
    ca.require_subcommand();
    command<init_options>(ca, "init", "a new CA in a directory, and in DIR/keys the keys that sign releases, commands and URLs", [](command_line::command s, init_options& o) {
        s.add_option("--dir", o.dir, "new or empty directory (made with mode 0700)").required();
        s.add_option("--name", o.name, "common name of the CA").show_default();
        s.add_option("--days", o.days, "life of the CA certificate").show_default();
        s.add_option("--roots", o.roots, "number of root keys, 1 to 8").show_default();
        s.add_option("--threshold", o.threshold, "root keys that must sign a new key list").show_default();
        s.add_option("--keys-days", o.keys_days, "life of keys.json").show_default();
        s.add_flag("--no-keys", o.no_keys, "only the CA");
    }, [&c](init_options const& o) { init(c, o); });
    command<server_options>(ca, "server", "a certificate for a broker", [](command_line::command s, server_options& o) {
        s.add_option("--dir", o.dir, "the CA's directory").required();
        s.add_option("--san", o.names, "host name or address (repeatable)").required().delimiter(',');
        s.add_option("--days", o.days).show_default();
        s.add_option("-o,--out", o.out, "writes OUT.key and OUT.crt (default DIR/server)");
    }, [&c](server_options const& o) { server(c, o); });
    command<device_options>(ca, "device", "certificates for devices", [](command_line::command s, device_options& o) {
        s.add_option("--dir", o.dir, "the CA's directory").required();
        s.add_option("serial", o.serials, "serial numbers").required();
        s.add_option("--days", o.days).show_default();
        s.add_option("-o,--out", o.out, "directory to write to (default DIR/devices)");
        s.add_flag("--bundle", o.bundle, "one file a device: key, certificate, CA and address");
        s.add_option("--host", o.host, "address in the bundle (localhost)");
        s.add_option("--port", o.port, "port in the bundle").show_default();
    }, [&c](device_options const& o) { devices(c, o); });
    command<revoke_options>(ca, "revoke", "by certificate serial, or every living one of a device; writes DIR/ca.crl", [](command_line::command s, revoke_options& o) {
        s.add_option("--dir", o.dir, "the CA's directory").required();
        s.add_option("what", o.what, "serial of a certificate, or the device").required();
    }, [&c](revoke_options const& o) {
        auto authority = certificate_authority::open(o.dir);
        print(c, json::object{{"revoked", authority.revoke(o.what)}, {"crl", o.dir + "/ca.crl"}});
    });
    command<list_options>(ca, "list", "everything issued", [](command_line::command s, list_options& o) { s.add_option("--dir", o.dir, "the CA's directory").required(); },
        [&c](list_options const& o) { list(c, o); });
}

}
