#include "plugins/targets/query.hpp"

#include "plugins/targets/query_term.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <charconv>

namespace airmail::plugins::targets {

namespace fw = storage::firmware;

std::string folded(std::string_view s) {
    std::string out{s};
    for (auto& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

bool like(std::string_view given, literal const& pattern, bool any_case) {
    std::string text = any_case ? folded(given) : std::string{given};
    auto piece = [&](std::size_t i) { return any_case ? folded(pattern.pieces[i]) : pattern.pieces[i]; };
    if (!pattern.wild()) return text == piece(0);
    auto first = piece(0), last = piece(pattern.pieces.size() - 1);
    if (text.size() < first.size() + last.size() || !text.starts_with(first) || !text.ends_with(last)) return false;
    auto at = first.size(), end = text.size() - last.size();
    for (std::size_t i = 1; i + 1 < pattern.pieces.size(); ++i) {
        auto middle = piece(i);
        auto found = text.find(middle, at);
        if (found == text.npos || found + middle.size() > end) return false;
        at = found + middle.size();
    }
    return true;
}

bool in_order(op what, std::strong_ordering order) {
    switch (what) {
    case op::lt: return order < 0;
    case op::le: return order <= 0;
    case op::gt: return order > 0;
    case op::ge: return order >= 0;
    default: return order == 0;
    }
}

std::optional<double> as_number(std::string_view s) {
    boost::system::error_code ec;
    auto v = boost::json::parse(boost::json::string_view{s.data(), s.size()}, ec);
    if (ec || !v.is_number()) return std::nullopt;
    return v.to_number<double>(ec);
}

bool version_holds(query::term const& t, std::string_view text) {
    if (t.what == op::is) return text.empty();
    auto version = fw::version::parse(text);
    return std::any_of(t.versions.begin(), t.versions.end(), [&](version_value const& v) {
        if (v.range) return version && v.range->contains(*version);
        if (t.what != op::eq && t.what != op::in) return version && in_order(t.what, *version <=> *v.version);
        if (v.version && version) return *version == *v.version;
        if (like(text, v.text, true)) return true;
        // `1.1.*` means v1.1.0 too.
        return v.text.wild() && (text.starts_with('v') || text.starts_with('V')) && like(text.substr(1), v.text, true);
    });
}

namespace {

[[noreturn]] void wrong(std::size_t at, std::string what) { throw mistake{at, std::move(what)}; }

bool equality(op o) { return o == op::eq || o == op::in; }

version_value version_of(literal const& v, op what) {
    version_value out{v, std::nullopt, std::nullopt};
    auto text = v.text();
    if (!text.empty() && std::string_view{"<>=!~^"}.find(text.front()) != std::string_view::npos) {
        auto range = fw::version_range::parse(text);
        if (!range) wrong(v.at, "\"" + text + "\" is not a range of versions such as \"<1.1.0\", \">=1.0 <2\", \"~1.2\" or \"^1.2.3\"");
        if (!equality(what)) wrong(v.at, "a range of versions goes with == != =in= =out=");
        out.range = std::move(*range);
        return out;
    }
    if (v.wild() && equality(what)) return out;
    if (auto version = fw::version::parse(text)) out.version = std::move(*version);
    else if (!equality(what)) wrong(v.at, "\"" + text + "\" is not a version such as 1.4.0 or v2.0.0-rc.1");
    return out;
}

std::int64_t number_of(literal const& v) {
    std::int64_t n = 0;
    auto text = v.text();
    auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (ec != std::errc{} || end != text.data() + text.size()) wrong(v.at, "\"" + text + "\" is not a whole number");
    return n;
}

std::int64_t flag_of(literal const& v) {
    auto text = folded(v.text());
    if (text == "true" || text == "1") return 1;
    if (text == "false" || text == "0") return 0;
    wrong(v.at, "expected true or false");
}

time_point time_of(literal const& v) {
    auto t = parse_time(v.text());
    if (!t) wrong(v.at, "\"" + v.text() + "\" is not a time: 2026-11-24, 2026-11-24T10:00Z, unix seconds, now or now-24h (s, m, h, d, w)");
    return *t;
}

query::term bind_test(comparison const& c) {
    auto of = find_field(c.selector);
    if (!of) wrong(c.at, "no field \"" + c.selector + "\" (known: " + field_names() + ")");
    query::term t;
    t.of = std::move(*of), t.what = c.what, t.values = c.values;
    if (c.what == op::ne) t.what = op::eq, t.negative = true;
    if (c.what == op::out) t.what = op::in, t.negative = true;
    if (c.what == op::is || c.what == op::is_not) {
        if (folded(c.values.front().text()) != "null") wrong(c.values.front().at, "=is= and =not= go with null");
        t.what = op::is, t.negative = c.what == op::is_not;
        return t;
    }
    if (!equality(t.what) && (t.of.kind == field_kind::tags || t.of.kind == field_kind::flag))
        wrong(c.at, "\"" + c.selector + "\" has no order: use == != =in= =out=");
    for (auto const& v : c.values) {
        bool text = t.of.kind == field_kind::identity || t.of.kind == field_kind::text || t.of.kind == field_kind::tags || t.of.kind == field_kind::pair;
        if (v.wild() && !(text || t.of.kind == field_kind::version)) wrong(v.at, "a wildcard goes with texts");
        if (v.wild() && !equality(t.what)) wrong(v.at, "a wildcard goes with == != =in= =out=");
        switch (t.of.kind) {
        case field_kind::version: t.versions.push_back(version_of(v, t.what)); break;
        case field_kind::time: t.times.push_back(time_of(v)); break;
        case field_kind::number: t.numbers.push_back(number_of(v)); break;
        case field_kind::flag: t.numbers.push_back(flag_of(v)); break;
        default: break;
        }
    }
    return t;
}

std::string const* text_of(device_facts const& d, field f) {
    switch (f) {
    case field::serial_no: return &d.serial_no;
    case field::device_id: return &d.device_id;
    case field::model: return &d.model;
    case field::status: return &d.status;
    case field::registration: return &d.registration;
    default: return &d.boot_slot;
    }
}

std::optional<std::int64_t> number_in(device_facts const& d, field f) {
    switch (f) {
    case field::last_seen: return d.last_seen;
    case field::created_at: return d.created_at;
    case field::updated_at: return d.updated_at;
    case field::keys_version: return d.keys_version;
    case field::security_counter: return d.security_counter;
    default: return d.ever_seen;
    }
}

bool text_holds(query::term const& t, std::string_view text, bool any_case) {
    return std::any_of(t.values.begin(), t.values.end(), [&](literal const& v) {
        if (equality(t.what)) return like(text, v, any_case);
        return any_case ? in_order(t.what, folded(text).compare(folded(v.text())) <=> 0) : in_order(t.what, text.compare(v.text()) <=> 0);
    });
}

/// Ordered as numbers when both are; otherwise as texts.
bool pair_holds(query::term const& t, std::string_view text) {
    if (equality(t.what)) return text_holds(t, text, true);
    auto wanted = as_number(t.values.front().text()), have = as_number(text);
    if (!wanted) return text_holds(t, text, true);
    return have && (t.what == op::lt ? *have < *wanted : t.what == op::le ? *have <= *wanted : t.what == op::gt ? *have > *wanted : *have >= *wanted);
}

bool test_holds(query::term const& t, device_facts const& d, std::int64_t now) {
    bool null = t.what == op::is;
    switch (t.of.kind) {
    case field_kind::identity: case field_kind::text: {
        auto const& s = *text_of(d, t.of.what);
        return null ? s.empty() : text_holds(t, s, t.of.kind == field_kind::text);
    }
    case field_kind::version: return version_holds(t, d.version);
    case field_kind::time: {
        if (null) return t.of.what == field::last_seen && !d.ever_seen;
        auto have = *number_in(d, t.of.what);
        return std::any_of(t.times.begin(), t.times.end(), [&](time_point const& p) { return in_order(t.what, have <=> p.at(now)); });
    }
    case field_kind::number: case field_kind::flag: {
        auto have = number_in(d, t.of.what);
        if (null) return !have;
        return have && std::any_of(t.numbers.begin(), t.numbers.end(), [&](std::int64_t n) { return in_order(t.what, *have <=> n); });
    }
    case field_kind::tags:
        if (null) return d.tags.empty();
        return std::any_of(d.tags.begin(), d.tags.end(), [&](std::string const& tag) { return text_holds(t, tag, true); });
    case field_kind::pair: {
        auto const& pairs = t.of.what == field::setting ? d.settings : d.attributes;
        auto at = pairs.find(t.of.key);
        return null ? at == pairs.end() : at != pairs.end() && pair_holds(t, at->second);
    }
    }
    return false;
}

}

query::node query::bind(expression const& e) {
    node n{.what = e.what, .parts = {}, .test = {}};
    if (e.what == expression::kind::test) n.test = std::make_shared<term const>(bind_test(e.test));
    for (auto const& p : e.parts) n.parts.push_back(bind(p));
    return n;
}

parsed<query> query::parse(std::string_view text) {
    auto tree = parse_rsql(text);
    if (!tree) return std::move(tree.error());
    try {
        query q;
        q.text_ = text, q.root_ = bind(*tree);
        return q;
    } catch (mistake& m) { return std::move(m); }
}

bool query::holds(node const& n, device_facts const& d, std::int64_t now) {
    auto part = [&](node const& p) { return holds(p, d, now); };
    switch (n.what) {
    case expression::kind::all: return std::all_of(n.parts.begin(), n.parts.end(), part);
    case expression::kind::any: return std::any_of(n.parts.begin(), n.parts.end(), part);
    case expression::kind::test: break;
    }
    return test_holds(*n.test, d, now) != n.test->negative;
}

bool query::matches(device_facts const& d, std::int64_t now) const { return holds(root_, d, now); }

}
