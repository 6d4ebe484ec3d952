#include "acl/rule.hpp"

namespace airmail::acl {
namespace {

std::string words(std::uint8_t about) {
    if (about == may_all) return "publish,subscribe,receive";
    if (about == may_read) return "subscribe,receive";
    std::string out;
    auto const add = [&](std::uint8_t bit, char const* word) {
        if (!(about & bit)) return;
        if (!out.empty()) out += ',';
        out += word;
    };
    add(may_publish, "publish");
    add(may_subscribe, "subscribe");
    add(may_receive, "receive");
    return out;
}

}

std::string_view ruleset::keep(std::string_view s) { return s.empty() ? std::string_view{} : std::string_view{kept_.emplace_back(s)}; }

std::uint32_t ruleset::source(std::string_view name) {
    for (std::size_t i = sources_.size(); i-- > 0;)
        if (sources_[i] == name) return static_cast<std::uint32_t>(i);
    sources_.emplace_back(name);
    return static_cast<std::uint32_t>(sources_.size() - 1);
}

void ruleset::add(effect what, std::uint8_t about, subject whom, std::string_view who, std::string_view filter, std::string_view from) {
    rules_.push_back({what, about, whom, false, keep(who), keep(filter), 0, source(from)});
}

std::string ruleset::describe(rule const& r) const {
    std::string out = sources_[r.source];
    if (r.line > 0) out += ':' + std::to_string(r.line);
    out += ": ";
    switch (r.whom) {
    case subject::user: out.append("user ").append(r.who); break;
    case subject::role: out.append("role ").append(r.who); break;
    case subject::anonymous: out += "anonymous"; break;
    case subject::everybody: out += "everybody"; break;
    }
    return out.append(r.what == effect::allow ? " allow " : " deny ").append(words(r.about)).append(" ").append(r.filter);
}

}
