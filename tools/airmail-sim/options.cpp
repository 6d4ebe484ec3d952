#include "tools/airmail-sim/options.hpp"

#include "broker/config/value.hpp"
#include "broker/version.hpp"
#include "tools/command_line/command_line.hpp"

#include <cstdlib>

namespace airmail::sim {

namespace {

void add_time(command_line::command app, char const* name, std::chrono::milliseconds& to, char const* doc) {
    app.add_parsed(name, [&to](std::string const& text) {
        auto const ms = config::to_duration(text);
        if (ms) to = *ms;
        return ms ? "" : "a time with a unit, like 500ms, 30s, 5m";
    }, doc);
}

void add_victims(command_line::command app, options& o) {
    auto add = [&](char const* name, victim v, char const* doc) { app.add_option(name, o.victims[static_cast<std::size_t>(v)], doc); };
    add("--offline", victim::offline, "so many devices connect only after --offline-for, a line \"online\" on standard input, or SIGUSR1");
    add("--checksum-fault", victim::checksum_fault, "their first download is damaged on the way");
    add("--signature-fault", victim::signature_fault, "no signature is good to them");
    add("--boot-failure", victim::boot_failure, "the new slot does not come up; they roll back");
    add("--power-cut", victim::power_cut, "lose power in the middle of the first download, and resume");
    add("--silent", victim::silent, "take commands and do nothing");
    add("--reboot-loop", victim::reboot_loop, "restart again and again in the new slot, then roll back");
    add("--restless", victim::restless, "update well, and then restart every second");
    add("--seed-pure", victim::seed_pure, "know only the architecture document's fields");
}

}

options parse_options(int argc, char** argv) {
    options o;
    command_line::program app{"airmail-sim: a fleet of simulated devices, over real sockets, real TLS and real files", std::string("airmail-sim ") + airmail::version};
    app.add_option("-d,--dir", o.dir, "directory of the devices' slots, state and certificates").show_default();
    app.add_option("-n,--devices", o.devices, "how many").between(1, 100'000).show_default();
    app.add_option("--prefix", o.prefix, "beginning of their serial numbers").show_default();
    app.add_option("--model", o.model).show_default();
    app.add_option("--hw", o.hw, "hardware revision");
    app.add_option("--firmware", o.firmware, "version in slot A at birth").show_default();
    app.add_option("--host", o.host, "the broker").show_default();
    app.add_option("-p,--port", o.port).show_default();
    app.add_option("--ca-dir", o.ca_dir, "a CA (airmailctl ca init): certificates are made as needed");
    app.add_option("--certs", o.certs_dir, "directory with SERIAL.crt and SERIAL.key, instead of --ca-dir");
    app.add_option("--cafile", o.ca_file, "who signed the broker's certificate (default: ca.crt of --ca-dir)");
    app.add_option("--http-cafile", o.http_ca_file, "who signed the download server's certificate (default: as --cafile)");
    app.add_option("--command-key", o.command_keys, "public key of commands (repeatable); without one, envelopes are not checked");
    app.add_option("--release-key", o.release_keys, "public key of releases (repeatable); without one, manifests are not checked");
    app.add_flag("--mqtt311", o.v311, "speak MQTT 3.1.1");
    app.add_option("--seed", o.seed, "of everything drawn").show_default();
    add_victims(app, o);
    add_time(app, "--offline-for", o.offline_for, "time until offline devices connect by themselves (default: when told)");
    app.add_flag("--offline-seen", o.offline_seen, "offline devices connect once at the start, so that the broker knows them, and go away again");
    add_time(app, "--heartbeat", o.heartbeat, "time between heartbeats (5m)");
    add_time(app, "--install", o.install, "time of flashing, up to twice as long (500ms)");
    add_time(app, "--reboot", o.reboot, "time of a restart, up to twice as long (1s)");
    add_time(app, "--confirm", o.confirm, "time from the first heartbeat of the new version to confirmed (2s)");
    app.add_option("--connect-rate", o.connect_rate, "connections begun a second").positive().show_default();
    app.add_option("--notify", o.notify, "so many devices change a setting after connecting");
    app.add_flag("--until-done", o.until_done, "end when every device has come to the end of an update");
    app.add_option("--timeout", o.timeout, "with --until-done: give up after so many seconds");
    app.add_option("--report", o.report, "write a JSON report here at the end");
    app.add_flag("--json", o.json, "a JSON line a second instead of a progress line");
    auto ended = app.parse(argc, argv);
    if (!ended && o.ca_dir.empty() == o.certs_dir.empty()) ended = app.refuse("--ca-dir", "needs one of --ca-dir and --certs");
    if (!ended && o.ca_file.empty() && o.ca_dir.empty()) ended = app.refuse("--certs", "needs --cafile");
    if (ended) std::exit(*ended == 0 ? 0 : 2);
    if (o.ca_file.empty()) o.ca_file = o.ca_dir + "/ca.crt";
    if (o.http_ca_file.empty()) o.http_ca_file = o.ca_file;
    return o;
}

}
