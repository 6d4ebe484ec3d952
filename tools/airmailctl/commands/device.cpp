// airmailctl device: the registry, and bundles that make a device ready to connect.

#include "tools/airmailctl/commands/device_parts.hpp"
#include "tools/airmailctl/device_bundle.hpp"
#include "tools/airmailctl/show.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value_from.hpp>
#include <fmt/core.h>
#include <fstream>

namespace airmail::ctl {

namespace json = boost::json;

namespace {

std::vector<column> const columns = {{"SERIAL", "serial_no"}, {"MODEL", "model"}, {"FIRMWARE", "current_firmware"}, {"STATUS", "status"}, {"REGISTRATION", "registration"}, {"LAST SEEN", "last_seen"}, {"TAGS", "tags"}};

struct list_options { std::string model, status, version, tag, q, after; int limit = 50; };
struct add_options { std::string serial, model, bundle, ca_dir, host = "localhost"; int port = 8883, days = 3650; std::vector<std::string> tags; };
struct serial_options { std::string serial, reason; };
struct tag_options { std::string serial; std::vector<std::string> add, remove; };
struct import_options { std::string file; };
struct set_options { std::string serial; std::vector<std::string> pairs; };
struct none {};

void print(context const& c, json::value const& v) { c.json ? json_line(v) : record(v); }
std::string at(std::string const& serial, char const* rest = "") { return "/api/v1/devices/" + encoded(serial) + rest; }

std::string list_query(list_options const& o) {
    std::string q = fmt::format("?limit={}", o.limit);
    for (auto const& [name, value] : {std::pair<char const*, std::string const&>{"model", o.model}, {"status", o.status}, {"version", o.version}, {"tag", o.tag}, {"q", o.q}, {"after", o.after}})
        if (!value.empty()) q += std::string("&") + name + "=" + encoded(value);
    return q;
}

/// CSV with a header line: serial_no[,model[,tags separated by ;]]. Sent in calls of 1,000.
void import(context const& c, import_options const& o) {
    std::ifstream in(o.file);
    if (!in) throw trouble(exit_code::failed, "cannot read " + o.file);
    std::string line;
    std::getline(in, line);
    if (line.rfind("serial_no", 0) != 0) throw trouble(exit_code::usage, o.file + ":1: expected the header serial_no,model,tags; found: " + line.substr(0, 60));
    auto broker = c.broker();
    std::int64_t added = 0, known = 0;
    json::array refused, batch;
    auto flush = [&] {
        if (batch.empty()) return;
        auto v = broker.post("/api/v1/devices/import", json::object{{"devices", batch}});
        added += v.at("added").to_number<std::int64_t>(), known += v.at("known").to_number<std::int64_t>();
        for (auto const& r : v.at("refused").as_array()) refused.push_back(r);
        batch.clear();
    };
    while (std::getline(in, line)) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        if (line.empty()) continue;
        auto first = line.find(','), second = first == line.npos ? line.npos : line.find(',', first + 1);
        json::object device{{"serial_no", line.substr(0, first)}};
        if (first != line.npos && first + 1 < line.size()) device["model"] = line.substr(first + 1, second == line.npos ? second : second - first - 1);
        if (second != line.npos) {
            json::array tags;
            for (auto rest = line.substr(second + 1); !rest.empty();) {
                auto semi = rest.find(';');
                if (semi != 0) tags.push_back(json::value(rest.substr(0, semi)));
                rest = semi == rest.npos ? "" : rest.substr(semi + 1);
            }
            device["tags"] = tags;
        }
        batch.push_back(std::move(device));
        if (batch.size() == 1000) flush();
    }
    flush();
    json::object result{{"added", added}, {"known", known}, {"refused", refused}};
    print(c, result);
    if (!refused.empty()) throw trouble(exit_code::refused, std::to_string(refused.size()) + " lines were refused");
}

/// Registered first: a bundle of a device that the broker refuses would be a key in a drawer.
void add(context const& c, add_options const& o) {
    if (o.bundle.empty() != o.ca_dir.empty()) throw trouble(exit_code::usage, "--bundle FILE and --ca-dir DIR go together");
    json::object body{{"serial_no", o.serial}, {"tags", json::value_from(o.tags)}};
    if (!o.model.empty()) body["model"] = o.model;
    auto v = c.broker().post("/api/v1/devices", body);
    if (!o.bundle.empty()) {
        auto ca = certificate_authority::open(o.ca_dir);
        issue_bundle(ca, o.ca_dir, o.serial, o.days, o.host, static_cast<std::uint16_t>(o.port)).save(o.bundle);
        v.as_object()["bundle"] = o.bundle;
    }
    print(c, v);
}

void add_reading(command_line::command device, context& c) {
    command<list_options>(device, "list", "devices, by serial number", [](command_line::command s, list_options& o) {
        s.add_option("--model", o.model, "only this model");
        s.add_option("--status", o.status, "online, offline or updating");
        s.add_option("--version", o.version, "running this firmware");
        s.add_option("--tag", o.tag, "with this tag");
        s.add_option("--prefix", o.q, "serial numbers that begin so");
        s.add_option("--after", o.after, "continue after this serial number");
        s.add_option("--limit", o.limit, "at most so many (1000)").show_default();
    }, [&c](list_options const& o) {
        auto v = c.broker().get("/api/v1/devices" + list_query(o));
        c.json ? json_line(v) : table(v.at("devices"), columns);
    });
    command<serial_options>(device, "show", "one device", [](command_line::command s, serial_options& o) { s.add_option("serial", o.serial).required(); },
        [&c](serial_options const& o) { print(c, c.broker().get(at(o.serial))); });
    command<serial_options>(device, "status", "online or not, which version: the nearest source that knows (replicate_reads)", [](command_line::command s, serial_options& o) { s.add_option("serial", o.serial).required(); },
        [&c](serial_options const& o) { print(c, c.broker().get(at(o.serial, "/status"))); });
    command<none>(device, "fleet", "how many, which versions", [](command_line::command, none&) {}, [&c](none const&) { print(c, c.broker().get("/api/v1/fleet")); });
    command<serial_options>(device, "config", "settings the device reported, and desired ones", [](command_line::command s, serial_options& o) { s.add_option("serial", o.serial).required(); },
        [&c](serial_options const& o) { print(c, c.broker().get(at(o.serial, "/config"))); });
}

}

void add_device(command_line::command app, context& c) {
    auto device = app.add_subcommand("device", "the registry of devices");
    device.require_subcommand();
    add_reading(device, c);
    add_device_certify(device, c);
    add_device_command(device, c);
    command<add_options>(device, "add", "register before it was ever seen (its certificate: airmailctl ca device)", [](command_line::command s, add_options& o) {
        s.add_option("serial", o.serial, "serial number: 1-64 of A-Z a-z 0-9 . _ : -").required();
        s.add_option("--model", o.model);
        s.add_option("--tag", o.tags, "repeatable");
        auto bundle = s.add_option("--bundle", o.bundle, "writes all the device needs into this new file: key, certificate, CA, address, key list");
        s.add_option("--ca-dir", o.ca_dir, "the CA's directory, for --bundle");
        s.add_option("--host", o.host, "the broker's address in the bundle").needs(bundle).show_default();
        s.add_option("--port", o.port, "and its port").needs(bundle).show_default();
        s.add_option("--days", o.days, "life of the certificate").needs(bundle).show_default();
    }, [&c](add_options const& o) { add(c, o); });
    command<import_options>(device, "import", "many at once from a CSV file: serial_no,model,tags (tags separated by ;)", [](command_line::command s, import_options& o) { s.add_option("file", o.file).required(); },
        [&c](import_options const& o) { import(c, o); });
    for (auto [verb, doc] : {std::pair{"accept", "let a quarantined device in"}, {"block", "cut it off and keep it out"}})
        command<serial_options>(device, verb, doc, [](command_line::command s, serial_options& o) {
            s.add_option("serial", o.serial).required();
            s.add_option("--reason", o.reason, "for the audit log");
        }, [&c, verb = std::string("/") + verb](serial_options const& o) {
            json::object body;
            if (!o.reason.empty()) body["reason"] = o.reason;
            print(c, c.broker().post(at(o.serial, verb.c_str()), body));
        });
    command<tag_options>(device, "tag", "add and remove tags", [](command_line::command s, tag_options& o) {
        s.add_option("serial", o.serial).required();
        s.add_option("--add", o.add, "repeatable");
        s.add_option("--remove", o.remove, "repeatable");
    }, [&c](tag_options const& o) { print(c, c.broker().post(at(o.serial, "/tags"), json::object{{"add", json::value_from(o.add)}, {"remove", json::value_from(o.remove)}})); });
    command<set_options>(device, "set", "desired settings: KEY=VALUE ...", [](command_line::command s, set_options& o) {
        s.add_option("serial", o.serial).required();
        s.add_option("setting", o.pairs, "KEY=VALUE").required();
    }, [&c](set_options const& o) {
        json::object settings;
        for (auto const& p : o.pairs) {
            auto eq = p.find('=');
            if (eq == p.npos || eq == 0) throw trouble(exit_code::usage, "expected KEY=VALUE, found " + p);
            settings[p.substr(0, eq)] = p.substr(eq + 1);
        }
        print(c, c.broker().put(at(o.serial, "/config/desired"), json::object{{"settings", settings}}));
    });
    command<serial_options>(device, "remove", "forget a device and what is kept of it", [](command_line::command s, serial_options& o) { s.add_option("serial", o.serial).required(); },
        [&c](serial_options const& o) { print(c, c.broker().del(at(o.serial))); });
}

}
