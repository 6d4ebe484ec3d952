#include "tools/airmailctl/show.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <ctime>
#include <fmt/core.h>
#include <unistd.h>

namespace airmail::ctl {

namespace json = boost::json;

namespace {

bool is_time(std::string_view member) {
    return member == "last_seen" || member == "at" || (member.size() > 3 && member.substr(member.size() - 3) == "_at");
}

std::string utc(std::int64_t seconds) {
    if (seconds <= 0) return "-";
    std::time_t const t = static_cast<std::time_t>(seconds);
    std::tm parts{};
    gmtime_r(&t, &parts);
    char out[32];
    std::strftime(out, sizeof out, "%Y-%m-%d %H:%M:%SZ", &parts);
    return out;
}

std::string plain(json::value const& v, std::string_view member) {
    if (v.is_null()) return "-";
    if (v.is_string()) return v.as_string().empty() ? "-" : std::string(v.as_string());
    if (is_time(member) && v.is_number()) return utc(v.to_number<std::int64_t>());
    if (auto const* a = v.if_array()) {
        std::string out;
        for (auto const& e : *a) out += (out.empty() ? "" : ",") + plain(e, {});
        return out.empty() ? "-" : out;
    }
    return json::serialize(v);
}

}

std::string text_of(json::value const& object, std::string_view member) {
    json::value const* at = &object;
    std::string_view rest = member, last = member;
    while (!rest.empty()) {
        auto dot = rest.find('.');
        last = rest.substr(0, dot);
        auto const* o = at->if_object();
        at = o ? o->if_contains(last) : nullptr;
        if (!at) return "-";
        rest = dot == rest.npos ? std::string_view{} : rest.substr(dot + 1);
    }
    return plain(*at, last);
}

void table(json::value const& rows, std::vector<column> const& columns) {
    auto const* list = rows.if_array();
    if (!list || list->empty()) return void(std::puts("(none)"));
    std::vector<std::vector<std::string>> cells;
    std::vector<std::size_t> width;
    for (auto const& c : columns) width.push_back(c.heading.size());
    for (auto const& r : *list) {
        auto& line = cells.emplace_back();
        for (std::size_t i = 0; i < columns.size(); ++i) {
            line.push_back(text_of(r, columns[i].member));
            width[i] = std::max(width[i], line.back().size());
        }
    }
    auto print = [&](auto const& text) {
        std::string out;
        for (std::size_t i = 0; i < columns.size(); ++i) out += i + 1 < columns.size() ? fmt::format("{:<{}}  ", text(i), width[i]) : std::string(text(i));
        std::puts(out.c_str());
    };
    print([&](std::size_t i) { return columns[i].heading; });
    for (auto const& line : cells) print([&](std::size_t i) { return line[i]; });
}

void record(json::value const& object) {
    auto const* o = object.if_object();
    if (!o) return json_line(object);
    std::size_t width = 0;
    for (auto const& m : *o) width = std::max(width, m.key().size());
    for (auto const& m : *o) std::puts(fmt::format("{:<{}}  {}", std::string_view(m.key()), width, plain(m.value(), m.key())).c_str());
}

void json_line(json::value const& v) { std::puts(json::serialize(v).c_str()); }

bar::bar(std::string label) : label_(std::move(label)), terminal_(::isatty(2) == 1) {}

bar::~bar() {
    if (shown_ >= 0) std::fputc('\n', stderr);
}

void bar::update(std::uint64_t done, std::uint64_t total, std::string_view note) {
    if (!terminal_) return;
    int const percent = total ? static_cast<int>(done * 100 / total) : 100;
    if (percent == shown_ && note == last_note_) return;
    shown_ = percent;
    last_note_ = note;
    std::string const filled(static_cast<std::size_t>(percent) * 30 / 100, '#');
    std::fputs(fmt::format("\r\x1b[K{} [{:<30}] {:3}% {}", label_, filled, percent, note).c_str(), stderr);
    std::fflush(stderr);
}

}
