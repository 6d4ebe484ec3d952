#pragma once
// Two questions before rules change: whose rights would differ, and which rules would cover what was seen. Pure.

#include "acl/engine.hpp"
#include "acl/rule.hpp"

#include <map>
#include <string>
#include <vector>

namespace airmail::acl {

/// One right that is not the same.
struct difference {
    action what = action::publish;
    std::string topic;                 // a topic that stands for the filter of the rule that made it: `+` and `#` as words
    bool before = false, after = false;
    std::string rule_before, rule_after;
};

/// Compares two compiled rules files for many identities: each is asked about the filters of the rules that speak of it, in
/// either file. Owns the rules.
class comparison {
public:
    comparison(ruleset before, ruleset after);
    /// Empty = nothing changes for this identity.
    std::vector<difference> of(identity const& who) const;

private:
    void gather(ruleset const& r);
    std::map<std::string, std::vector<std::string>, std::less<>> user_, role_;
    std::vector<std::string> everybody_, anonymous_;
    engine_ptr before_, after_;
};

/// Something that acl_mode observe let through.
struct seen {
    std::string user, client_id;
    action what = action::publish;
    std::string topic;                 // a filter, for subscribe
};

/// The smallest acl_file that would have allowed all of it and, as far as it can be told, little more: a level that is the
/// user's or client's own name becomes %u or %c when at least two different ones did the same; `siblings` or more topics that
/// differ in one level become one rule with `+`; read and write of one filter become readwrite.
std::string suggest(std::vector<seen> const& all, std::size_t siblings = 3);

}
