#include "broker/rules.hpp"

#include "acl/compile.hpp"
#include "acl/device_rules.hpp"
#include "broker/read_file.hpp"

#include <fmt/core.h>

namespace airmail {
namespace {

/// Devices on one side, everybody else on the other; rule numbers of the second come after those of the first.
class two_sides final : public acl::engine {
public:
    two_sides(acl::engine_ptr devices, acl::engine_ptr others) : devices_(std::move(devices)), others_(std::move(others)) {}

    acl::decision check(acl::identity const& who, acl::action what, std::string_view topic) const override {
        if (who.role == "device") return devices_->check(who, what, topic);
        auto d = others_->check(who, what, topic);
        if (d.rule != acl::decision::no_rule) d.rule += static_cast<std::uint32_t>(devices_->size());
        return d;
    }
    std::string explain(acl::decision d) const override {
        if (d.rule == acl::decision::no_rule) return "no rule matched: denied";
        auto const first = static_cast<std::uint32_t>(devices_->size());
        if (d.rule < first) return devices_->explain(d);
        d.rule -= first;
        return others_->explain(d);
    }
    std::size_t size() const override { return devices_->size() + others_->size(); }

private:
    acl::engine_ptr devices_, others_;
};

bool add_file(acl::ruleset& rules, std::string const& path, std::string const& where, std::string& why) {
    std::string problem;
    auto text = read_file(path, problem);
    if (!text) return why = fmt::format("acl_file {} ({}): {}", path, where, problem), false;
    for (auto const& c : rules.parse(std::move(*text), path))
        if (c.fatal) return why = fmt::format("{}:{}: {}", path, c.line, c.text), false;
    return true;
}

void add_grants(acl::ruleset& rules, std::vector<host::grant> const& grants) {
    for (auto const& g : grants)
        if (!g.refused) rules.add(acl::effect::allow, g.publish ? acl::may_publish : acl::may_read, acl::subject::role, g.role, g.filter, "plugin " + g.plugin);
}

}

acl::engine_ptr load_rules(config::config const& c, std::vector<host::grant> const& grants, std::string& why) {
    std::string const path(c.text("acl_file"));
    acl::ruleset devices, others;
    acl::add_device_rules(devices);
    add_grants(devices, grants);
    if (!path.empty() && (!add_file(devices, path, c.where("acl_file"), why) || !add_file(others, path, c.where("acl_file"), why))) return nullptr;
    auto other = path.empty() ? acl::allow_everything() : acl::compile(std::move(others), acl::semantics::mosquitto);
    return std::make_shared<two_sides>(acl::compile(std::move(devices), acl::semantics::native), std::move(other));
}

}
