#include "broker/control_api.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace airmail {
namespace {

namespace json = boost::json;

json::array told(std::vector<std::string> const& plugins) {
    json::array out;
    // None of them has a topic below $CONTROL.
    for (auto const& p : plugins) out.push_back(json::object{{"name", p}, {"control-endpoints", json::array{}}});
    return out;
}

json::array told(std::vector<control_api::listener> const& listeners) {
    json::array out;
    for (auto const& l : listeners) {
        json::object o{{"port", l.port}, {"protocol", l.protocol == "websockets" ? "mqtt+websockets" : "mqtt"}};
        if (!l.address.empty()) o["bind-address"] = l.address;
        if (!l.socket.empty()) o["socket-path"] = l.socket;
        o["tls"] = l.tls;
        out.push_back(std::move(o));
    }
    return out;
}

/// Mosquitto takes them in any case of letters.
bool same(std::string_view a, std::string_view b) {
    auto const lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

std::string_view text_of(json::object const& o, std::string_view key) {
    auto const* v = o.if_contains(key);
    return v && v->is_string() ? std::string_view{v->get_string()} : std::string_view{};
}

json::object wrong(std::string_view command, std::string_view why) { return {{"command", json::string(command)}, {"error", json::string(why)}}; }

}

control_api::control_api(std::vector<std::string> plugins, std::vector<listener> listeners) : plugins_(std::move(plugins)), listeners_(std::move(listeners)) {}

std::string control_api::answer(std::string_view request) const {
    json::array responses;
    auto const respond = [&](json::value const& asked) {
        auto const* c = asked.if_object();
        if (!c) return responses.push_back(wrong("Unknown command", "Command not an object"));
        auto const name = text_of(*c, "command");
        auto const* correlation = c->if_contains("correlationData");
        if (name.empty()) return responses.push_back(wrong("Unknown command", "Missing command"));
        if (correlation && !correlation->is_string()) return responses.push_back(wrong(name, "Invalid correlationData data type."));
        json::object out{{"command", json::string(name)}};
        if (same(name, "listPlugins")) out["command"] = "listPlugins", out["data"] = json::object{{"plugins", told(plugins_)}};
        else if (same(name, "listListeners")) out["command"] = "listListeners", out["data"] = json::object{{"listeners", told(listeners_)}};
        else out["error"] = "Unknown command";
        if (correlation) out["correlationData"] = *correlation;
        responses.push_back(std::move(out));
    };
    boost::system::error_code ec;
    auto const asked = request.size() > request_bytes_max ? json::value{} : json::parse(request, ec);
    auto const* whole = ec ? nullptr : asked.if_object();
    auto const* commands = whole ? whole->if_contains("commands") : nullptr;
    if (request.size() > request_bytes_max) responses.push_back(wrong("Unknown command", "Payload too large: at most 16 KiB"));
    else if (ec) responses.push_back(wrong("Unknown command", "Payload not valid JSON"));
    else if (!commands || !commands->is_array()) responses.push_back(wrong("Unknown command", "Invalid/missing commands"));
    else if (commands->get_array().size() > commands_max) responses.push_back(wrong("Unknown command", "Too many commands: at most 64"));
    else
        for (auto const& c : commands->get_array()) respond(c);
    return json::serialize(json::object{{"responses", std::move(responses)}});
}

}
