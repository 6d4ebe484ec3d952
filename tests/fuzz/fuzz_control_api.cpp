// links: airmail::broker
// A request on $CONTROL/broker/v1: whatever it says, the answer is JSON of the promised form, and no longer than it may be.

#include "broker/control_api.hpp"

#include <boost/json.hpp>
#include <cstdlib>

namespace {

void insist(bool truth) {
    if (!truth) std::abort();
}

}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    static airmail::control_api const api{{"ota.registry", "vendor.x"}, {{.port = 1883, .protocol = "mqtt"}, {.protocol = "websockets", .socket = "/run/x", .tls = true}}};
    auto const text = api.answer({reinterpret_cast<char const*>(data), size});
    auto const v = boost::json::parse(text);
    auto const& responses = v.at("responses").as_array();
    insist(responses.size() <= airmail::control_api::commands_max);
    for (auto const& r : responses) {
        auto const& o = r.as_object();
        insist(o.at("command").is_string());
        insist(o.contains("data") != o.contains("error"));
    }
    return 0;
}
