#include "broker/rules.hpp"

#include "acl/compile.hpp"
#include "acl/device_rules.hpp"
#include "broker/read_file.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <map>

namespace airmail {
namespace {

/// Devices on one side, everybody else on the other: all together, or by the listener they came in by. Rule numbers of each
/// engine come after those of the engines before it.
class house_rules final : public acl::engine {
public:
    explicit house_rules(acl::engine_ptr devices) { add(std::move(devices)); }

    /// For clients of one listener, or (port -1) of all that have none of their own.
    void others(int port, acl::engine_ptr rules) {
        by_port_[port] = engines_.size();
        add(std::move(rules));
    }

    acl::decision check(acl::identity const& who, acl::action what, std::string_view topic) const override {
        acl::seat once;
        return check(who, once, what, topic);
    }
    acl::decision check(acl::identity const& who, acl::seat& at, acl::action what, std::string_view topic) const override {
        // As in Mosquitto: a bridge that the operator configured is not asked.
        if (who.how == acl::proof::bridge) return {true, acl::decision::no_rule};
        auto const n = engine_of(who);
        if (n == nobodys) return {};
        auto d = engines_[n].rules->check(who, at, what, topic);
        if (d.rule != acl::decision::no_rule) d.rule += engines_[n].first;
        return d;
    }
    bool mosquitto(acl::identity const& who) const override {
        auto const n = engine_of(who);
        return n != nobodys && engines_[n].rules->mosquitto();
    }
    std::string explain(acl::decision d) const override {
        if (d.rule == acl::decision::no_rule) return d.allowed ? "allowed: no rules hold here" : "no rule matched: denied";
        std::size_t n = engines_.size() - 1;
        while (n > 0 && (d.rule < engines_[n].first || engines_[n].rules->size() == 0)) --n;
        d.rule -= engines_[n].first;
        return engines_[n].rules->explain(d);
    }
    std::size_t size() const override { return rules_; }

private:
    struct part {
        acl::engine_ptr rules;
        std::uint32_t first = 0;
    };
    static constexpr std::size_t nobodys = SIZE_MAX;

    void add(acl::engine_ptr rules) {
        engines_.push_back({rules, static_cast<std::uint32_t>(rules_)});
        rules_ += rules->size();
    }
    std::size_t engine_of(acl::identity const& who) const {
        if (who.role == "device") return 0;
        auto at = by_port_.find(who.listener);
        if (at == by_port_.end()) at = by_port_.find(-1);
        return at == by_port_.end() ? nobodys : at->second;   // a listener that is gone: nothing is allowed
    }

    std::vector<part> engines_;
    std::map<int, std::size_t> by_port_;
    std::size_t rules_ = 0;
};

/// acl_mode observe: what would be denied is written down, and happens.
class watching final : public acl::engine {
public:
    watching(acl::engine_ptr rules, std::shared_ptr<denials> seen) : rules_(std::move(rules)), seen_(std::move(seen)) {}
    acl::decision check(acl::identity const& who, acl::action what, std::string_view topic) const override {
        acl::seat once;
        return check(who, once, what, topic);
    }
    acl::decision check(acl::identity const& who, acl::seat& at, acl::action what, std::string_view topic) const override {
        auto d = rules_->check(who, at, what, topic);
        // $SYS is the broker's own, whatever the mode.
        if (d.allowed || (what == acl::action::publish && topic.starts_with("$SYS/"))) return d;
        seen_->add(who, what, topic, rules_->explain(d));
        d.allowed = true;
        return d;
    }
    bool mosquitto() const override { return rules_->mosquitto(); }
    std::string explain(acl::decision d) const override { return rules_->explain(d); }
    std::size_t size() const override { return rules_->size(); }

private:
    acl::engine_ptr rules_;
    std::shared_ptr<denials> seen_;
};

bool add_file(acl::ruleset& rules, config::section const& s, rules_report& report) {
    std::string const path(s.text("acl_file"));
    std::string problem;
    auto text = read_file(path, problem);
    if (!text) return report.why = fmt::format("acl_file {} ({}): {}", path, s.where("acl_file"), problem), false;
    for (auto const& c : rules.parse(std::move(*text), path)) {
        auto line = fmt::format("{}:{}: {}", path, c.line, c.text);
        if (c.fatal) return report.why = std::move(line), false;
        report.warnings.push_back(std::move(line));
    }
    return true;
}

void add_grants(acl::ruleset& rules, std::vector<host::grant> const& grants) {
    for (auto const& g : grants)
        if (!g.refused) rules.add(acl::effect::allow, g.publish ? acl::may_publish : acl::may_read, acl::subject::role, g.role, g.filter, "plugin " + g.plugin);
}

/// Null with the report's why.
acl::engine_ptr file_rules(config::section const& s, bool observe, std::shared_ptr<denials> const& seen, rules_report& report) {
    if (s.text("acl_file").empty()) return acl::allow_everything();
    acl::ruleset rules;
    if (!add_file(rules, s, report)) return nullptr;
    auto const how = rules.native() ? acl::semantics::native : acl::semantics::mosquitto;
    auto made = acl::compile(std::move(rules), how);
    return observe ? std::make_shared<watching>(std::move(made), seen) : made;
}

}

acl::engine_ptr load_rules(config::config const& c, std::vector<host::grant> const& grants, std::shared_ptr<denials> seen, rules_report& report) {
    bool const observe = c.text("acl_mode") == "observe", each = c.flag("per_listener_settings");
    acl::ruleset devices;
    acl::add_device_rules(devices);
    add_grants(devices, grants);
    // A million rules that no device can ever meet are not compiled twice.
    std::vector<std::string> read;
    for (auto const& l : c.listeners())
        if (auto const path = std::string(l.text("acl_file")); l.device() && !path.empty() && std::find(read.begin(), read.end(), path) == read.end()) {
            read.push_back(path);
            if (!add_file(devices, l, report)) return nullptr;
        }
    auto all = std::make_shared<house_rules>(acl::compile(std::move(devices), acl::semantics::native));
    if (!each) {
        auto rules = file_rules(c, observe, seen, report);
        if (!rules) return nullptr;
        all->others(-1, std::move(rules));
        return all;
    }
    for (auto const& l : c.listeners()) {
        if (l.device()) continue;
        auto rules = file_rules(l, observe, seen, report);
        if (!rules) return nullptr;
        all->others(l.port, std::move(rules));
    }
    return all;
}

}
