// airmailctl device command: an operator's own command to one device, or to all that a filter means; with --wait until they have answered.

#include "tools/airmailctl/commands/device_parts.hpp"
#include "tools/airmailctl/show.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <chrono>
#include <thread>

namespace airmail::ctl {

namespace json = boost::json;

namespace {

struct command_options { std::vector<std::string> words; std::string target, firmware; int expires_s = 86'400, wait_s = 0; };

void send(context const& c, command_options const& o) {
    // With --target the first word is the name already.
    auto const first = o.target.empty() ? 1u : 0u;
    if (o.words.size() < first + 1 || o.words.size() > first + 2) throw trouble(exit_code::usage, "expected: device command ID NAME [JSON], or device command --target FILTER NAME [JSON]");
    json::object body{{"name", o.words[first]}, {"expires_in", o.expires_s}};
    if (o.target.empty()) body["device"] = o.words[0];
    else body["target"] = o.target;
    if (o.words.size() > first + 1) {
        boost::system::error_code ec;
        auto const params = json::parse(o.words[first + 1], ec);
        if (ec || !params.is_object()) throw trouble(exit_code::usage, "the parameters are no JSON object: " + o.words[first + 1]);
        body["params"] = params;
    }
    if (!o.firmware.empty()) body["firmware_id"] = o.firmware;
    auto broker = c.broker();
    json::value v = broker.post("/api/v1/commands", body);
    if (o.wait_s <= 0) return c.json ? json_line(v) : record(v);
    std::string const path = "/api/v1/commands/" + encoded(std::string(v.at("group_id").as_string()));
    auto finished = [](json::value const& row) { return !row.at("finished_at").is_null(); };
    for (auto const deadline = std::chrono::steady_clock::now() + std::chrono::seconds(o.wait_s);; std::this_thread::sleep_for(std::chrono::milliseconds(200))) {
        v = broker.get(path);
        auto const& rows = v.at("commands").as_array();
        if (std::all_of(rows.begin(), rows.end(), finished) || std::chrono::steady_clock::now() > deadline) break;
    }
    auto const& rows = v.at("commands").as_array();
    c.json ? json_line(v) : table(rows, {{"DEVICE", "serial_no"}, {"NAME", "name"}, {"STATUS", "status"}, {"RESULT", "result"}, {"FINISHED", "finished_at"}});
    if (!std::all_of(rows.begin(), rows.end(), [](auto const& r) { return r.at("status").as_string() == "completed"; })) throw trouble(exit_code::failed, "not all of them have completed");
}

}

void add_device_command(command_line::command device, context& c) {
    command<command_options>(device, "command", "a command of your own: ID NAME [JSON], or --target FILTER NAME [JSON]", [](command_line::command s, command_options& o) {
        s.add_option("words", o.words, "ID (without --target), NAME, parameters as a JSON object").required();
        s.add_option("--target", o.target, "all accepted devices that this filter means");
        s.add_option("--firmware", o.firmware, "with verify_only, a rehearsal: would they believe this firmware_id?");
        s.add_option("--expires", o.expires_s, "seconds in which it may be given and answered").show_default();
        s.add_option("--wait", o.wait_s, "seconds to wait for the answers");
    }, [&c](command_options const& o) { send(c, o); });
}

}
