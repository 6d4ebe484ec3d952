#include "broker/host/outlet.hpp"

#include "broker/log/log.hpp"

namespace airmail::host {

void outlet::log(sdk::level l, std::string_view plugin, std::string_view text, std::string_view fields_json) {
    static constexpr log::level map[] = {log::level::debug, log::level::info, log::level::warn, log::level::error};
    auto as = map[static_cast<int>(l) & 3];
    if (fields_json.empty()) log::at(as, "host", {{"plugin", plugin}}, "{}", text);
    else log::at(as, "host", {{"plugin", plugin}, {"fields", fields_json}}, "{}", text);
}

}
