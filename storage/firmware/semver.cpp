#include "storage/firmware/semver.hpp"

#include <algorithm>
#include <charconv>

namespace airmail::storage::firmware {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool all_digits(std::string_view s) { return !s.empty() && std::all_of(s.begin(), s.end(), is_digit); }
bool is_identifier(std::string_view s) {
    return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
    });
}

std::string_view trim(std::string_view s) {
    while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
    while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
    return s;
}

// Splits at `at`; an empty piece is kept, so that "1." is seen.
std::vector<std::string_view> split(std::string_view s, char at) {
    std::vector<std::string_view> out;
    for (;;) {
        auto n = s.find(at);
        out.push_back(s.substr(0, n));
        if (n == s.npos) return out;
        s.remove_prefix(n + 1);
    }
}

// Numbers of any length: without leading zeros, the longer is the larger.
std::strong_ordering compare_numbers(std::string_view a, std::string_view b) {
    while (a.size() > 1 && a.front() == '0') a.remove_prefix(1);
    while (b.size() > 1 && b.front() == '0') b.remove_prefix(1);
    if (a.size() != b.size()) return a.size() <=> b.size();
    return a.compare(b) <=> 0;
}

std::strong_ordering compare_identifiers(std::string_view a, std::string_view b) {
    bool x = all_digits(a), y = all_digits(b);
    if (x && y) return compare_numbers(a, b);
    if (x != y) return x ? std::strong_ordering::less : std::strong_ordering::greater;
    return a.compare(b) <=> 0;
}

}

result<version> version::parse(std::string_view s) {
    s = trim(s);
    if (s.starts_with('v') || s.starts_with('V')) s.remove_prefix(1);
    if (s.empty() || s.size() > 64) return errc::bad_format;
    if (auto plus = s.find('+'); plus != s.npos) {
        for (auto id : split(s.substr(plus + 1), '.'))
            if (!is_identifier(id)) return errc::bad_format;
        s = s.substr(0, plus);
    }
    version v;
    if (auto minus = s.find('-'); minus != s.npos) {
        for (auto id : split(s.substr(minus + 1), '.')) {
            if (!is_identifier(id)) return errc::bad_format;
            v.pre.emplace_back(id);
        }
        s = s.substr(0, minus);
    }
    auto parts = split(s, '.');
    if (parts.size() > v.numbers.size()) return errc::bad_format;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (!all_digits(parts[i])) return errc::bad_format;
        auto [end, ec] = std::from_chars(parts[i].data(), parts[i].data() + parts[i].size(), v.numbers[i]);
        if (ec != std::errc()) return errc::bad_format;
    }
    return v;
}

std::strong_ordering version::operator<=>(version const& o) const {
    if (auto c = numbers <=> o.numbers; c != 0) return c;
    if (pre.empty() != o.pre.empty()) return pre.empty() ? std::strong_ordering::greater : std::strong_ordering::less;
    for (std::size_t i = 0; i < std::min(pre.size(), o.pre.size()); ++i)
        if (auto c = compare_identifiers(pre[i], o.pre[i]); c != 0) return c;
    return pre.size() <=> o.pre.size();
}

std::strong_ordering compare_versions(std::string_view a, std::string_view b) {
    auto x = version::parse(a), y = version::parse(b);
    if (x && y) return *x <=> *y;
    if (x.has_value() != y.has_value()) return x ? std::strong_ordering::greater : std::strong_ordering::less;
    return a.compare(b) <=> 0;
}

/// From the version given up to, and without, the next one of the kind that is asked for; its pre-releases do not belong.
bool version_range::span(std::string_view word, spread kind, std::vector<comparator>& out) {
    auto low = version::parse(word);
    if (!low) return false;
    auto given = static_cast<std::size_t>(1 + std::count(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(std::min(word.size(), word.find_first_of("-+"))), '.'));
    auto up = given - 1;                                                   // 1.2.x: the last number rises
    if (kind == spread::tilde) up = std::min<std::size_t>(up, 1);          // ~1.2.3: the second
    if (kind == spread::caret)                                             // ^1.2.3: the first that is not 0
        for (up = 0; up + 1 < given && low->numbers[up] == 0;) ++up;
    if (low->numbers[up] == UINT64_MAX) return false;
    version high;
    for (std::size_t i = 0; i < up; ++i) high.numbers[i] = low->numbers[i];
    high.numbers[up] = low->numbers[up] + 1, high.pre = {"0"};
    out.push_back({op::ge, std::move(*low)}), out.push_back({op::lt, std::move(high)});
    return true;
}

result<version_range> version_range::parse(std::string_view s) {
    version_range r;
    s = trim(s);
    if (s.empty()) {
        r.any_ = true;
        return r;
    }
    if (s.size() > 1024) return errc::bad_format;
    while (true) {
        auto end = s.find("||");
        auto part = trim(s.substr(0, end));
        std::vector<comparator> all;
        if (part.empty()) return errc::bad_format;
        while (!(part = trim(part)).empty()) {
            if (part.front() == ',') {
                part.remove_prefix(1);
                continue;
            }
            if (part.front() == '~' || part.front() == '^') {
                bool caret = part.front() == '^';
                part = trim(part.substr(1));
                auto word = part.substr(0, part.find_first_of(" ,<>=!~^"));
                if (!span(word, caret ? spread::caret : spread::tilde, all)) return errc::bad_format;
                part.remove_prefix(word.size());
                continue;
            }
            if (part.front() == '*') {
                part.remove_prefix(1);
                if (!part.empty() && part.front() != ' ' && part.front() != ',') return errc::bad_format;
                continue;
            }
            op what = op::eq;
            for (auto [word, o] : {std::pair{"<=", op::le}, {">=", op::ge}, {"==", op::eq}, {"!=", op::ne}, {"<", op::lt}, {">", op::gt}, {"=", op::eq}}) {
                if (!part.starts_with(word)) continue;
                part.remove_prefix(std::string_view(word).size());
                what = o;
                break;
            }
            part = trim(part);
            auto word = part.substr(0, part.find_first_of(" ,<>=!~^"));
            if (what == op::eq && word.find_first_of("-+") == word.npos && (word.ends_with(".x") || word.ends_with(".X") || word.ends_with(".*"))) {
                if (!span(word.substr(0, word.size() - 2), spread::last, all)) return errc::bad_format;
                part.remove_prefix(word.size());
                continue;
            }
            auto v = version::parse(word);
            if (!v) return errc::bad_format;
            all.push_back({what, std::move(*v)});
            part.remove_prefix(word.size());
        }
        if (all.empty()) r.any_ = true;
        r.alternatives_.push_back(std::move(all));
        if (end == s.npos) return r;
        s.remove_prefix(end + 2);
    }
}

bool version_range::contains(version const& v) const {
    if (any_) return true;
    return std::any_of(alternatives_.begin(), alternatives_.end(), [&](auto const& all) {
        return std::all_of(all.begin(), all.end(), [&](comparator const& c) {
            auto order = v <=> c.v;
            switch (c.what) {
            case op::lt: return order < 0;
            case op::le: return order <= 0;
            case op::gt: return order > 0;
            case op::ge: return order >= 0;
            case op::eq: return order == 0;
            case op::ne: return order != 0;
            }
            return false;
        });
    });
}

bool version_range::contains(std::string_view v) const {
    if (any_) return true;
    auto parsed = version::parse(v);
    return parsed && contains(*parsed);
}

}
