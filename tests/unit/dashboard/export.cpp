// The device list as a file against a plain look at every row: more rows than one page of it holds.

#include "console.hpp"
#include "known_filter.hpp"

#include "plugins/dashboard/api/service.hpp"

#include <future>

using namespace known;

namespace {

/// What GET /api/v1/devices/export?query answers.
string exported(dash::service& s, string const& query) {
    std::promise<airmail::sdk::web_reply> told;
    airmail::sdk::web_request r;
    r.verb = "GET", r.path = "/api/v1/devices/export", r.query = query, r.who = {"ada", "viewer", "user", ""};
    s.serve(std::move(r), [&](airmail::sdk::web_reply a) { told.set_value(std::move(a)); });
    auto a = told.get_future().get();
    CHECK(a.status == 200);
    return a.body;
}

string encoded(string const& s) {
    string out;
    char piece[4];
    for (unsigned char c : s) std::snprintf(piece, sizeof piece, "%%%02X", c), out += piece;
    return out;
}

}

TEST_CASE("an export holds the rows of its filter, in order, as CSV and as JSON") {
    auto& c = console::get();
    dash::service s;
    s.start(c.nobody);
    for (int i = 0; i < 12; ++i) {
        filter f{"", [](device const&) { return true; }};
        string query, model, status;
        if (i > 0 && !c.s.one_in(4)) f = some_filter(c.s), query += "&filter=" + encoded(f.text);
        if (i > 0 && c.s.one_in(3)) model = c.s.of<string>({"TX-100", "M'quote", "none"}), query += "&model=" + encoded(model);
        if (i > 0 && c.s.one_in(3)) status = c.s.of<string>({"online", "updating"}), query += "&status=" + status;
        string csv = "serial_no,device_id,model,current_firmware,status,registration,last_seen,ever_seen\r\n";
        json::array rows;
        for (auto const& d : c.s.devices) {
            if (!f.holds(d) || !(model.empty() || d.model == model) || !(status.empty() || d.status == status)) continue;
            for (auto const* cell : {&d.serial, &d.id, &d.model, &d.version, &d.status, &d.registration}) csv += "\"" + *cell + "\",";
            csv += std::to_string(d.last_seen / 1000) + (d.ever_seen ? ",true\r\n" : ",false\r\n");
            rows.push_back(json::object{{"serial_no", d.serial}, {"device_id", d.id}, {"model", d.model}, {"current_firmware", d.version}, {"status", d.status}, {"registration", d.registration}, {"last_seen", d.last_seen / 1000}, {"ever_seen", d.ever_seen}});
        }
        CHECK_MESSAGE(exported(s, "format=csv" + query) == csv, query);
        SAME(rows, json::parse(exported(s, "format=json" + query)).as_array(), query);
    }
    s.stop();
}
