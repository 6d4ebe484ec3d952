#include "acl/suggest.hpp"

#include "acl/compile.hpp"
#include "acl/pattern.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace airmail::acl {
namespace {

constexpr std::string_view some_word = "any-word", some_levels = "any-word/any-word";   // stand for wildcards: no rule is likely to name them

std::vector<std::string> split(std::string_view s) {
    std::vector<std::string> out;
    while (true) {
        auto const slash = s.find('/');
        out.emplace_back(s.substr(0, slash));
        if (slash == s.npos) return out;
        s.remove_prefix(slash + 1);
    }
}

std::string join(std::vector<std::string> const& levels) {
    std::string out;
    for (std::size_t i = 0; i < levels.size(); ++i) out += (i ? "/" : "") + levels[i];
    return out;
}

/// A topic under the filter, as this identity would name it; empty when its names cannot stand there.
std::string topic_for(std::string const& filter, identity const& who) {
    auto levels = split(filter);
    for (auto& l : levels) {
        bool const user = l == "%u" || l == "{id}" || l == "{user}" || l == "{device_id}", client = l == "%c" || l == "{client_id}";
        if (user || client) {
            l = user ? who.name : who.client_id;
            if (!plain_level(l)) return {};
        } else if (l == "+" || l == "#") {
            l = l == "+" ? some_word : some_levels;   // deeper than + reaches
        }
    }
    return join(levels);
}

engine_ptr compiled(ruleset r) {
    auto const how = r.native() ? semantics::native : semantics::mosquitto;
    return compile(std::move(r), how);
}

}

comparison::comparison(ruleset before, ruleset after) {
    gather(before);
    gather(after);
    before_ = compiled(std::move(before));
    after_ = compiled(std::move(after));
}

void comparison::gather(ruleset const& r) {
    for (auto const& one : r.rules()) {
        auto& to = one.whom == subject::user ? user_[std::string{one.who}] : one.whom == subject::role ? role_[std::string{one.who}] : one.whom == subject::anonymous ? anonymous_ : everybody_;
        to.emplace_back(one.filter);
    }
}

std::vector<difference> comparison::of(identity const& who) const {
    std::set<std::string> topics;
    auto const ask = [&](std::vector<std::string> const& filters) {
        for (auto const& f : filters)
            if (auto t = topic_for(f, who); !t.empty()) topics.insert(std::move(t));
    };
    if (who.name.empty()) ask(anonymous_);
    else if (auto const at = user_.find(who.name); at != user_.end()) ask(at->second);
    if (auto const at = role_.find(who.role); at != role_.end()) ask(at->second);
    ask(everybody_);
    std::vector<difference> out;
    for (auto const& t : topics)
        for (auto const what : {action::publish, action::receive}) {
            auto const b = before_->check(who, what, t), a = after_->check(who, what, t);
            if (b.allowed != a.allowed) out.push_back({what, t, b.allowed, a.allowed, before_->explain(b), after_->explain(a)});
        }
    return out;
}

namespace {

constexpr unsigned reads = 1, writes = 2;

/// filter -> what is wanted of it; for one subject.
using wanted = std::map<std::string, unsigned>;

/// `siblings` filters that differ in one level become one, as long as there are any.
void fold(wanted& w, std::size_t siblings) {
    for (bool again = true; again;) {
        again = false;
        std::map<std::string, std::set<std::string>> families;   // filter with one level as + and its access -> members
        for (auto const& [filter, access] : w) {
            auto levels = split(filter);
            for (auto& l : levels) {
                if (l == "+" || l == "#" || l.starts_with('%') || (&l == &levels[0] && l.starts_with('$'))) continue;
                auto const kept = std::exchange(l, "+");
                families[std::to_string(access) + join(levels)].insert(filter);
                l = kept;
            }
        }
        auto best = families.end();
        for (auto i = families.begin(); i != families.end(); ++i)
            if (i->second.size() >= siblings && (best == families.end() || i->second.size() > best->second.size())) best = i;
        if (best == families.end()) return;
        unsigned const access = static_cast<unsigned>(best->first[0] - '0');
        for (auto const& f : best->second) w.erase(f);
        w[best->first.substr(1)] |= access;
        again = true;
    }
}

/// What a wider filter of the same subject covers goes.
void drop_covered(wanted& w, wanted const& by, names const& who) {
    std::erase_if(w, [&](auto const& one) {
        return std::any_of(by.begin(), by.end(), [&](auto const& other) {
            return (&w != &by || other.first != one.first) && (other.second & one.second) == one.second && contains(other.first, one.first, who);
        });
    });
}

void print(std::string& out, wanted const& w, std::string_view word) {
    for (auto const& [filter, access] : w)
        out.append(word).append(access == reads ? " read " : access == writes ? " write " : " readwrite ").append(filter).append("\n");
}

}

std::string suggest(std::vector<seen> const& all, std::size_t siblings) {
    // Which patterns did several names use?
    std::map<std::string, std::set<std::string>> users_of;
    auto const pattern_of = [](seen const& s) {
        auto levels = split(s.topic);
        for (auto& l : levels) {
            if (plain_level(s.user) && l == s.user) l = "%u";
            else if (plain_level(s.client_id) && l == s.client_id) l = "%c";
        }
        return join(levels);
    };
    for (auto const& s : all)
        if (auto p = pattern_of(s); p != s.topic) users_of[p].insert(s.user + '\n' + s.client_id);
    wanted patterns;
    std::map<std::string, wanted> users;
    for (auto const& s : all) {
        if (!valid_filter(s.topic)) continue;
        unsigned const access = s.what == action::publish ? writes : reads;
        auto const p = pattern_of(s);
        if (p != s.topic && users_of[p].size() > 1) patterns[p] |= access;
        else users[s.user][s.topic] |= access;
    }
    fold(patterns, siblings);
    drop_covered(patterns, patterns, {{}, {}, true});
    std::string out;
    if (auto const anonymous = users.find(""); anonymous != users.end()) {
        fold(anonymous->second, siblings);
        drop_covered(anonymous->second, anonymous->second, {{}, {}, true});
        print(out, anonymous->second, "topic");
        users.erase(anonymous);
    }
    for (auto& [user, w] : users) {
        fold(w, siblings);
        drop_covered(w, w, {{}, {}, true});
        if (w.empty()) continue;
        out += "user " + user + "\n";
        print(out, w, "topic");
    }
    print(out, patterns, "pattern");
    return out;
}

}
