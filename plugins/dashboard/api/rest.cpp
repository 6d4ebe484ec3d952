// REST beside GraphQL: the whole method table as OpenAPI, and the device list as a file.
#include "plugins/dashboard/api/service.hpp"

#include <boost/json/serialize.hpp>

#if __has_include("plugins/targets/filter.hpp")
#include "plugins/kit/params.hpp"
#include "plugins/targets/filter.hpp"
#define AIRMAIL_HAS_FILTERS 1
#endif

namespace airmail::dashboard {

namespace json = boost::json;

namespace {

constexpr std::size_t export_bytes_max = 64u << 20;

/// A cell that no spreadsheet takes for a formula (CWE-1236), quoted as RFC 4180 says.
std::string cell(std::string_view v) {
    std::string out = "\"";
    if (!v.empty() && std::string_view{"=+-@\t\r"}.find(v[0]) != std::string_view::npos) out += '\'';
    for (char c : v) (out += c == '"' ? "\"" : "") += c;
    return out + '"';
}

}

/// format=csv|json, filter=RSQL, model=, status=: everything that matches, in pages of the index, at most 64 MiB.
void service::export_devices(sdk::web_request r, reply_fn done) {
    auto asked = std::make_shared<sdk::web_request>(std::move(r));
    bool taken = work([asked, done](reader& db) {
        auto const& q = asked->query;
        bool const csv = query_parameter(q, "format") != "json";
        std::string where = " WHERE tenant = 0";
        std::vector<sdk::sql_value> args;
        for (auto key : {"model", "status"})
            if (auto v = query_parameter(q, key); !v.empty()) where += std::string{" AND "} + key + " = ?" + std::to_string(args.size() + 1), args.push_back(v);
        if (auto filter = query_parameter(q, "filter"); !filter.empty()) {
#ifdef AIRMAIL_HAS_FILTERS
            try {
                auto c = plugins::targets::where(db, plugins::targets::filter(filter, "registry.bad_filter"), static_cast<int>(args.size()) + 1);
                where += " AND " + c.sql;
                for (auto& v : c.values) args.push_back(std::move(v));
            } catch (plugins::kit::refusal const& e) { return done(problem(e.status, e.code, e.detail, asked->request_id)); }
#else
            return done(problem(400, "registry.bad_filter", "this broker has no RSQL filters", asked->request_id));
#endif
        }
        auto const n = args.size();
        where += " AND serial_no > ?" + std::to_string(n + 1) + " ORDER BY serial_no LIMIT 5000";
        args.push_back(std::string{});
        sdk::web_reply out;
        out.content_type = csv ? "text/csv; charset=utf-8" : "application/json";
        out.headers = std::string{"Content-Disposition: attachment; filename=\"devices."} + (csv ? "csv" : "json") + "\"\r\nCache-Control: no-store\r\n";
        out.body = csv ? "serial_no,device_id,model,current_firmware,status,registration,last_seen,ever_seen\r\n" : "[";
        for (;;) {
            auto rows = db.objects("SELECT serial_no, device_id, model, current_firmware, status, registration, last_seen, ever_seen FROM devices d" + where, args,
                                   {"serial_no", "device_id", "model", "current_firmware", "status", "registration", "last_seen~", "ever_seen?"});
            for (auto const& row : rows) {
                auto const& o = row.get_object();
                if (!csv) {
                    out.body += (out.body.size() > 1 ? ",\n" : "\n") + json::serialize(o);
                    continue;
                }
                for (auto key : {"serial_no", "device_id", "model", "current_firmware", "status", "registration"}) out.body += cell(text_of(o, key)) + ",";
                out.body += std::to_string(number_of(o, "last_seen")) + "," + (o.at("ever_seen").as_bool() ? "true" : "false") + "\r\n";
            }
            if (out.body.size() > export_bytes_max) return done(problem(413, "device.export_too_large", "more than 64 MiB match; narrow the filter", asked->request_id));
            if (rows.size() < 5000) break;
            args[n] = text_of(rows.back(), "serial_no");
        }
        if (!csv) out.body += "\n]\n";
        done(std::move(out));
    });
    if (!taken) done(problem({503, "host.busy", "too many requests wait", 1}, asked->request_id));
}

std::string service::openapi() {
    json::object paths;
    auto add = [&](sdk::web_method const& m) {
        if (m.path.empty()) return;
        json::array parameters;
        for (std::size_t at = m.path.find('{'); at != m.path.npos; at = m.path.find('{', at + 1))
            parameters.push_back(json::object{{"name", m.path.substr(at + 1, m.path.find('}', at) - at - 1)}, {"in", "path"}, {"required", true}, {"schema", json::object{{"type", "string"}}}});
        json::object op{{"operationId", m.name}, {"summary", m.doc}, {"tags", json::array{m.name.substr(0, m.name.find('.'))}}, {"x-role", m.role}, {"parameters", std::move(parameters)}};
        if (m.verb == "PATCH" || m.name == "firmware.upload") {
            op["requestBody"] = json::object{{"required", true}, {"content", json::object{{"application/octet-stream", json::object{{"schema", json::object{{"type", "string"}, {"format", "binary"}}}}}}}};
            if (m.verb == "PATCH")
                op["parameters"].as_array().push_back(json::object{{"name", "Upload-Offset"}, {"in", "header"}, {"required", true}, {"description", "The byte at which the body begins; the answer carries the next."}, {"schema", json::object{{"type", "integer"}, {"format", "int64"}}}});
        } else if (m.name == "firmware.upload_begin") {
            json::object text{{"type", "string"}};
            op["requestBody"] = json::object{{"required", true}, {"content", json::object{{"application/json", json::object{{"schema", json::object{
                {"type", "object"}, {"required", json::array{"size_bytes"}},
                {"properties", json::object{{"size_bytes", json::object{{"type", "integer"}, {"format", "int64"}, {"minimum", 1}}}, {"name", text}, {"sha256", json::object{{"type", "string"}, {"pattern", "^[0-9a-f]{64}$"}}}}}}}}}}}};
        } else if (m.verb == "POST" || m.verb == "PUT")
            op["requestBody"] = json::object{{"content", json::object{{"application/json", json::object{{"schema", json::object{{"type", "object"}}}}}}}};
        auto answer = [](char const* text, char const* type, char const* schema) {
            return json::object{{"description", text}, {"content", json::object{{type, json::object{{"schema", json::object{{"$ref", schema}}}}}}}};
        };
        op["responses"] = json::object{{"200", answer("Done.", "application/json", "#/components/schemas/Answer")}, {"default", answer("Refused.", "application/problem+json", "#/components/schemas/Problem")}};
        auto verb = lower(m.verb);
        if (!paths.contains(m.path)) paths[m.path] = json::object{};
        paths[m.path].as_object()[verb] = std::move(op);
    };
    for (auto const& m : house_->methods()) add(m);
    add({"firmware.upload", "operator", "POST", "/api/v1/firmware", "A signed release in one request; firmware/uploads takes one in pieces. An unsigned file needs version and model in the query, where the broker allows it."});
    add({"device.export", "viewer", "GET", "/api/v1/devices/export", "Matching devices as CSV or JSON (format, filter, model, status)."});
    add({"user.list", "admin", "GET", "/api/v1/users", "Users of the dashboard."});
    add({"user.add", "admin", "POST", "/api/v1/users", "Adds one: name, password, role."});
    add({"user.role", "admin", "PUT", "/api/v1/users/{name}/role", "Changes the role."});
    add({"user.password", "admin", "PUT", "/api/v1/users/{name}/password", "Sets a password; ends the user's logins."});
    add({"user.disabled", "admin", "PUT", "/api/v1/users/{name}/disabled", "Shuts a user out, or lets him in again."});
    add({"user.remove", "admin", "DELETE", "/api/v1/users/{name}", "Removes one."});
    json::object text{{"type", "string"}};
    json::object problem_schema{{"type", "object"}, {"properties", json::object{{"type", text}, {"title", text}, {"status", json::object{{"type", "integer"}}}, {"detail", text}, {"code", text}, {"request_id", text}}}};
    json::object document{{"openapi", "3.0.3"},
                          {"info", json::object{{"title", "Airmail"}, {"version", house_->version()}, {"description", "Every method of the broker and its plugins. The role stands in x-role."}}},
                          {"security", json::array{json::object{{"bearer", json::array{}}}}},
                          {"paths", std::move(paths)},
                          {"components", json::object{{"securitySchemes", json::object{{"bearer", json::object{{"type", "http"}, {"scheme", "bearer"}}}}},
                                                      {"schemas", json::object{{"Answer", json::object{{"type", "object"}}}, {"Problem", std::move(problem_schema)}}}}}};
    return json::serialize(document);
}

}
