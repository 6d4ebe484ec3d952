#include "broker/net/websocket_request.hpp"

#include <algorithm>

namespace airmail::net {
namespace {

/// The subprotocol we speak among those offered; `mqttv3.1` is what clients before the specification said.
std::string_view choose(std::string_view offered) {
    static constexpr std::string_view ours[] = {"mqtt", "mqttv3.1"};
    std::string_view found;
    while (!offered.empty()) {
        auto const comma = offered.find(',');
        auto word = offered.substr(0, comma);
        offered = comma == offered.npos ? std::string_view{} : offered.substr(comma + 1);
        while (!word.empty() && (word.front() == ' ' || word.front() == '\t')) word.remove_prefix(1);
        while (!word.empty() && (word.back() == ' ' || word.back() == '\t')) word.remove_suffix(1);
        if (word == ours[0]) return ours[0];
        if (word == ours[1]) found = ours[1];
    }
    return found;
}

}

request_verdict judge(request_view const& r, websocket_rules const& rules) {
    if (!rules.path.empty() && r.target.substr(0, r.target.find('?')) != rules.path) return {404, "nothing is served at this path"};
    if (!r.is_upgrade) return {426, "this is MQTT over WebSocket: upgrade with the subprotocol mqtt"};
    // A page of somebody else's would act with the user's certificate: only listed origins, and devices, which have none.
    bool const listed = std::find(rules.origins.begin(), rules.origins.end(), r.origin) != rules.origins.end();
    if (r.has_origin && !rules.any_origin && !listed) return {403, "pages of this origin may not connect (websockets_origin)"};
    auto const word = choose(r.subprotocols);  // [MQTT-6.0.0-3]
    if (word.empty()) return {400, "the subprotocol mqtt was not offered"};
    return {.subprotocol = word};
}

}
