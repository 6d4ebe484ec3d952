#include "plugins/campaign/phases.hpp"

#include "plugins/kit/json_out.hpp"

#include <boost/json/parse.hpp>

namespace airmail::plugins::campaign {

std::vector<phase> default_phases(std::int64_t soak_ms, int success_percent) {
    std::vector<phase> out;
    for (double p : {1.0, 10.0, 50.0, 100.0}) out.push_back({p, soak_ms, success_percent});
    return out;
}

namespace {

bool read_phase(boost::json::value const& v, phase& p) {
    boost::system::error_code ec;
    if (v.is_number()) return p.percent = v.to_number<double>(ec), !ec.failed();
    auto o = v.if_object();
    if (!o) return false;
    auto number = [&](char const* key, double& out) {
        if (auto x = o->if_contains(key)) {
            if (!x->is_number()) return false;
            out = x->to_number<double>(ec);
        }
        return true;
    };
    double soak_s = static_cast<double>(p.soak_ms) / 1000, success = p.success_percent;
    if (!o->contains("percent") || !number("percent", p.percent) || !number("soak_s", soak_s) || !number("success_percent", success)) return false;
    if (!(soak_s >= 0 && soak_s <= 31'536'000) || !(success >= 0 && success <= 100)) return false;
    p.soak_ms = static_cast<std::int64_t>(soak_s * 1000), p.success_percent = static_cast<int>(success);
    return true;
}

}

std::optional<std::vector<phase>> parse_phases(std::string_view json, std::int64_t soak_ms, int success_percent, std::string& why) {
    if (json.empty() || json == "null") return default_phases(soak_ms, success_percent);
    if (json == "none" || json == "\"none\"") return std::vector<phase>{{100, 0, 0}};
    boost::system::error_code ec;
    auto v = boost::json::parse(boost::json::string_view{json.data(), json.size()}, ec);
    if (ec || !v.is_array() || v.as_array().empty() || v.as_array().size() > 100) return why = "phases must be \"none\" or a list of 1 to 100", std::nullopt;
    std::vector<phase> out;
    double last = 0;
    for (auto const& item : v.as_array()) {
        phase p{0, soak_ms, success_percent};
        if (!read_phase(item, p)) return why = "a phase is a percent or {\"percent\",\"soak_s\",\"success_percent\"}", std::nullopt;
        if (!(p.percent > last) || p.percent > 100) return why = "phases must rise, up to 100", std::nullopt;
        last = p.percent;
        out.push_back(p);
    }
    if (last != 100) return why = "the last phase must be 100", std::nullopt;
    return out;
}

std::string phases_json(std::vector<phase> const& phases) {
    kit::json_array out;
    for (auto const& p : phases)
        out.add(kit::json_object{}.real("percent", p.percent).number("soak_s", p.soak_ms / 1000).number("success_percent", p.success_percent).str());
    return out.str();
}

gate judge(phase const& p, gate_facts const& f) {
    if (f.targets == 0) return gate::pass;                       // nobody fell into it
    if (f.in_flight > 0 || f.queued > 0) return gate::wait;
    if (f.counted < f.minimum) return gate::wait;                // all of them are offline
    if (f.now - f.since < p.soak_ms) return gate::wait;
    return f.completed * 100 >= f.counted * p.success_percent ? gate::pass : gate::stop;
}

}
