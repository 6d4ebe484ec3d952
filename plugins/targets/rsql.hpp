#pragma once
// RSQL, the filter language hawkBit's operators know, as a tree: `model==TX-100;(fw=lt=1.1.0,tag==lab)`. Words only: what a
// selector means is query.hpp's business. Pure.
//
//   or     = and { ("," | "or") and }          comparison = selector op value
//   and    = term { (";" | "and") term }       op = == != =lt= < =le= <= =gt= > =ge= >= =in= =out= =is= =not=
//   term   = "(" or ")" | comparison           value = word | "quoted" | 'quoted' | "(" value {"," value} ")"  after =in= =out=
//
// `*` in a value is a wildcard, `\` takes away the meaning of the next character. Bounds: 4,096 bytes, 16 levels, 100 comparisons,
// 1,000 values.

#include <boost/system/result.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::plugins::targets {

/// What is wrong, and where: `at` counts bytes from 0.
struct mistake {
    std::size_t at = 0;
    std::string what;
    /// "at character 7, before "fo=1": expected ..."
    std::string sentence(std::string_view text) const;
};
template <class T>
using parsed = boost::system::result<T, mistake>;

enum class op { eq, ne, lt, le, gt, ge, in, out, is, is_not };

struct literal {
    std::size_t at = 0;
    std::vector<std::string> pieces{{}};      // the text between wildcards; one piece = no wildcard
    bool wild() const { return pieces.size() > 1; }
    /// With its stars, as a person would write it.
    std::string text() const;
};

struct comparison {
    std::size_t at = 0;
    std::string selector;
    op what = op::eq;
    std::vector<literal> values;              // at least one; one unless in, out
};

struct expression {
    enum class kind { all, any, test };
    kind what = kind::test;
    std::vector<expression> parts;            // of all, any
    comparison test;
};

parsed<expression> parse_rsql(std::string_view text);

}
