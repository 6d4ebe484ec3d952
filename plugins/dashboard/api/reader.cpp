#include "plugins/dashboard/api/reader.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

namespace airmail::dashboard {

namespace json = boost::json;
namespace sq = storage::sqlite;

namespace {

json::value member(sq::value const& v, char mark) {
    if (auto i = std::get_if<std::int64_t>(&v)) {
        if (mark == '~') return *i == 0 ? json::value(nullptr) : json::value(*i / 1000);
        return mark == '?' ? json::value(*i != 0) : json::value(*i);
    }
    if (auto d = std::get_if<double>(&v)) return *d;
    auto s = std::get_if<std::string>(&v);
    if (!s) return nullptr;
    if (mark != '{') return json::value(*s);
    boost::system::error_code ec;
    auto parsed = json::parse(*s, ec);
    return ec ? json::value(nullptr) : parsed;
}

}

reader::reader(std::string const& database, std::function<std::int64_t()> wall_ms)
    : db_(database, {.create = false, .read_only = true}), wall_ms_(std::move(wall_ms)) {}

std::vector<sdk::sql_row> reader::sql(std::string_view text, std::vector<sdk::sql_value> const& params) {
    try {
        return db_.exec(text, params);
    } catch (sq::error const& e) { throw sdk::error(e.what(), e.code()); }
}

json::array reader::objects(std::string_view text, std::vector<sdk::sql_value> const& params, std::initializer_list<std::string_view> names) {
    json::array out;
    for (auto const& r : sql(text, params)) {
        json::object o;
        o.reserve(names.size());
        std::size_t i = 0;
        for (auto name : names) {
            char mark = name.back() == '~' || name.back() == '{' || name.back() == '?' ? name.back() : ' ';
            o.emplace(mark == ' ' ? name : name.substr(0, name.size() - 1), member(r.at(i++), mark));
        }
        out.push_back(std::move(o));
    }
    return out;
}

json::value reader::object(std::string_view text, std::vector<sdk::sql_value> const& params, std::initializer_list<std::string_view> names) {
    auto all = objects(text, params, names);
    return all.empty() ? json::value(nullptr) : std::move(all[0]);
}

}
