#include "acl/compile.hpp"

#include "acl/pattern.hpp"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <unordered_map>

namespace airmail::acl {
namespace {

/// A run of engine::order_: the denies of one subject, then its allows.
struct run {
    std::uint32_t begin = 0, allows = 0, end = 0;
};

/// Who asks: with placeholders for patterns, without for literal rules.
struct asker {
    explicit asker(identity const& who) : filled{who.name, who.client_id, false} {}
    names const& of(rule const& r) const { return r.literal ? plain : filled; }
    names filled, plain{{}, {}, true};
};

std::uint8_t bit(action a) { return a == action::publish ? may_publish : a == action::subscribe ? may_subscribe : may_receive; }

constexpr std::uint32_t no_run = 0;   // runs_[0] is empty: identities that no rule names

/// Rules grouped by whom they speak about. Immutable.
class compiled final : public engine {
public:
    compiled(ruleset rules, semantics how) : rules_{std::move(rules)}, how_{how} {
        static std::atomic<std::uint64_t> made{0};
        number_ = ++made;
        group();
    }

    decision check(identity const& who, action what, std::string_view topic) const override {
        seat once;
        return check(who, once, what, topic);
    }
    decision check(identity const& who, seat& at, action what, std::string_view topic) const override;
    bool mosquitto() const override { return how_ == semantics::mosquitto; }
    std::size_t size() const override { return rules_.rules().size(); }
    std::string explain(decision d) const override {
        if (d.rule < size()) return rules_.describe(rules_.rules()[d.rule]);
        return d.allowed ? "allowed: nothing forbids it" : "denied: no rule allows it";
    }

private:
    using index = std::unordered_map<std::string_view, std::uint32_t>;

    void group();
    std::uint32_t& slot_for(rule const& r);
    seat sit(identity const& who) const;
    rule const& at(std::uint32_t i) const { return rules_.rules()[order_[i]]; }

    /// First rule in [begin, end) that speaks about `what` and for which `test` holds, else `end`.
    template <class Test> std::uint32_t first(std::uint32_t begin, std::uint32_t end, action what, Test const& test) const {
        for (; begin < end; ++begin)
            if (auto const& r = at(begin); (r.about & bit(what)) && test(r)) return begin;
        return end;
    }
    decision native(run const* const* lists, std::size_t count, asker const& n, action what, std::string_view topic) const;
    decision native_subscribe(run const* const* lists, std::size_t count, asker const& n, std::string_view filter) const;
    decision in_order(run const& list, asker const& n, action what, std::string_view topic) const;
    decision readable(run const* const* lists, std::size_t count, asker const& n, std::string_view filter) const;

    ruleset rules_;
    semantics how_;
    std::uint64_t number_ = 0;
    std::vector<std::uint32_t> order_;   // rule numbers, grouped
    std::vector<run> runs_{run{}};
    index users_, roles_;
    std::uint32_t anonymous_ = no_run, everybody_ = no_run;
};

std::uint32_t& compiled::slot_for(rule const& r) {
    switch (r.whom) {
    case subject::user: return users_[r.who];
    case subject::role: return roles_[r.who];
    case subject::anonymous: return anonymous_;
    case subject::everybody: break;
    }
    return everybody_;
}

void compiled::group() {
    auto const& all = rules_.rules();
    // Counting sort: how many per subject, then where each begins. Denies come first and latest first, as Mosquitto has it.
    std::vector<std::uint32_t> of(all.size());
    std::vector<std::uint32_t> denies{0}, allows{0};
    for (std::size_t i = 0; i < all.size(); ++i) {
        auto& slot = slot_for(all[i]);
        if (slot == no_run) slot = static_cast<std::uint32_t>(denies.size()), denies.push_back(0), allows.push_back(0);
        of[i] = slot;
        ++(all[i].what == effect::deny ? denies : allows)[slot];
    }
    runs_.resize(denies.size());
    std::uint32_t next = 0;
    for (std::size_t s = 1; s < runs_.size(); ++s) {
        runs_[s] = {next, next + denies[s], next + denies[s] + allows[s]};
        next = runs_[s].end;
    }
    order_.resize(all.size());
    for (std::size_t s = 1; s < runs_.size(); ++s) allows[s] = runs_[s].allows, denies[s] = runs_[s].allows;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i].what == effect::deny) order_[--denies[of[i]]] = static_cast<std::uint32_t>(i);
        else order_[allows[of[i]]++] = static_cast<std::uint32_t>(i);
    }
}

seat compiled::sit(identity const& who) const {
    auto const run_of = [](index const& in, std::string_view key) {
        auto const found = in.find(key);
        return found == in.end() ? no_run : found->second;
    };
    return {number_, who.name.empty() ? anonymous_ : run_of(users_, who.name), who.role.empty() ? no_run : run_of(roles_, who.role)};
}

/// Only the broker speaks on $SYS; but a bridge says on the other side's `connection/NAME/state` that it is there, where rules let it.
static bool broker_only(std::string_view topic) {
    return topic.starts_with("$SYS/") && !matches("$SYS/broker/connection/+/state", topic, {});
}

decision compiled::native(run const* const* lists, std::size_t count, asker const& n, action what, std::string_view topic) const {
    if (what == action::subscribe) return native_subscribe(lists, count, n, topic);
    auto const hit = [&](rule const& r) { return matches(r.filter, topic, n.of(r)); };
    for (std::size_t i = 0; i < count; ++i)
        if (auto const r = first(lists[i]->begin, lists[i]->allows, what, hit); r < lists[i]->allows) return {false, order_[r]};
    for (std::size_t i = 0; i < count; ++i)
        if (auto const r = first(lists[i]->allows, lists[i]->end, what, hit); r < lists[i]->end) return {true, order_[r]};
    return {};
}

decision compiled::native_subscribe(run const* const* lists, std::size_t count, asker const& n, std::string_view filter) const {
    auto const touched = [&](rule const& r) { return overlaps(r.filter, filter, n.of(r)); };
    auto const covered = [&](rule const& r) { return contains(r.filter, filter, n.of(r)); };
    for (std::size_t i = 0; i < count; ++i)
        if (auto const r = first(lists[i]->begin, lists[i]->allows, action::subscribe, touched); r < lists[i]->allows) return {false, order_[r]};
    for (std::size_t i = 0; i < count; ++i)
        if (auto const r = first(lists[i]->allows, lists[i]->end, action::subscribe, covered); r < lists[i]->end) return {true, order_[r]};
    return {};
}

/// One list of Mosquitto's: denies, then grants; `rule` stays no_rule when none speaks.
decision compiled::in_order(run const& list, asker const& n, action what, std::string_view topic) const {
    auto const hit = [&](rule const& r) { return matches(r.filter, topic, n.of(r)); };
    if (auto const r = first(list.begin, list.allows, what, hit); r < list.allows) return {false, order_[r]};
    if (auto const r = first(list.allows, list.end, what, hit); r < list.end) return {true, order_[r]};
    return {};
}

/// Could a topic under `filter` be readable? A grant must touch it, and no deny that is asked before the grant may cover
/// either of the two. Errs on the side of yes: deliveries are checked one by one anyway.
decision compiled::readable(run const* const* lists, std::size_t count, asker const& n, std::string_view filter) const {
    for (std::size_t i = 0; i < count; ++i) {
        for (auto r = lists[i]->allows; r < lists[i]->end; ++r) {
            auto const& grant = at(r);
            if (!(grant.about & may_receive) || !overlaps(grant.filter, filter, n.of(grant))) continue;
            auto const hides = [&](rule const& deny) { return contains(deny.filter, filter, n.of(deny)) || deny.filter == grant.filter; };
            bool hidden = false;
            for (std::size_t j = 0; j <= i && !hidden; ++j)
                hidden = first(lists[j]->begin, lists[j]->allows, action::receive, hides) < lists[j]->allows;
            if (!hidden) return {true, order_[r]};
        }
    }
    return {};
}

decision compiled::check(identity const& who, seat& at, action what, std::string_view topic) const {
    if (at.engine != number_) at = sit(who);
    asker const n{who};
    run const &user = runs_[at.user], &role = runs_[at.role], &everybody = runs_[everybody_];
    run const* const lists[] = {&user, &role, &everybody};
    if (what == action::publish && broker_only(topic)) return {};
    if (how_ == semantics::native) return native(lists, 3, n, what, topic);
    // A name with wildcards may use its own rules, never a pattern (CVE-2017-7650).
    bool const wild = who.name.find_first_of("+#") != std::string::npos || who.client_id.find_first_of("+#") != std::string::npos;
    std::size_t const count = wild && everybody.begin != everybody.end ? 2 : 3;
    if (what == action::subscribe) return readable(lists, count, n, topic);
    for (std::size_t i = 0; i < count; ++i)
        if (auto const d = in_order(*lists[i], n, what, topic); d.rule != decision::no_rule) return d;
    return {};
}

class everything final : public engine {
public:
    decision check(identity const&, action what, std::string_view topic) const override {
        return {what != action::publish || !broker_only(topic), decision::no_rule};
    }
    bool mosquitto() const override { return true; }
    std::string explain(decision d) const override {
        return d.allowed ? "allowed: this listener has no acl_file" : "denied: only the broker publishes to $SYS";
    }
    std::size_t size() const override { return 0; }
};

}

engine_ptr compile(ruleset rules, semantics how) { return std::make_shared<compiled>(std::move(rules), how); }
engine_ptr allow_everything() { return std::make_shared<everything>(); }

}
