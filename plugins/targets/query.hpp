#pragma once
// A target filter with its meaning: RSQL whose selectors are the fields of a device. It can be asked of one device in RAM (a
// heartbeat has changed it) or of all in SQL (previews, lists, new campaigns); both answer the same. Pure: no I/O, the time goes in.

#include "plugins/targets/device_facts.hpp"
#include "plugins/targets/rsql.hpp"
#include "storage/firmware/semver.hpp"

#include <functional>
#include <memory>
#include <optional>

namespace airmail::plugins::targets {

/// A condition on `devices d`, with the values of its parameters from `?first` on.
struct condition {
    std::string sql;
    std::vector<sdk::sql_value> values;
};

class query {
public:
    struct term;                                   // query_term.hpp
    /// Unknown fields, operators that do not fit and values that are no version, time or number are mistakes with their place.
    static parsed<query> parse(std::string_view text);
    std::string const& text() const { return text_; }

    /// @param now unix ms: what `now-24h` counts from
    bool matches(device_facts const& d, std::int64_t now) const;
    /// @param versions all versions of the fleet, asked for at most once: SQL cannot order versions, so the ones that fit are listed
    condition where(int first, std::int64_t now, std::function<std::vector<std::string>()> const& versions) const;

private:
    friend class sql_writer;
    struct node {
        expression::kind what = expression::kind::test;
        std::vector<node> parts;
        std::shared_ptr<term const> test;
    };
    static node bind(expression const& e);
    static bool holds(node const& n, device_facts const& d, std::int64_t now);

    std::string text_;
    node root_;
};

}
