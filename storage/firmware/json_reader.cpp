#include "storage/firmware/json_reader.hpp"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <limits>

namespace airmail::storage::firmware {

namespace json = boost::json;

namespace {
json::array const no_items;
json::object const no_members;
}

json_reader::json_reader(std::string_view text) {
    json::parse_options strict;
    strict.max_depth = 16;
    boost::system::error_code ec;
    own_ = json::parse(json::string_view(text.data(), text.size()), ec, {}, strict);
    members_ = ec ? nullptr : own_.if_object();
    if (!members_) {
        ok_ = false;
        members_ = &no_members;
    }
}

json_reader::json_reader(json::value const& v) : members_(v.if_object()) {
    if (!members_) {
        ok_ = false;
        members_ = &no_members;
    }
}

void json_reader::only(std::initializer_list<std::string_view> names) {
    for (auto const& m : *members_)
        if (std::find(names.begin(), names.end(), std::string_view(m.key().data(), m.key().size())) == names.end()) ok_ = false;
}

bool json_reader::has(std::string_view name) const { return members_->if_contains({name.data(), name.size()}) != nullptr; }

json::value const* json_reader::find(std::string_view name) {
    auto const* v = members_->if_contains({name.data(), name.size()});
    if (!v) ok_ = false;
    return v;
}

std::string json_reader::text(std::string_view name, std::size_t max) {
    auto const* v = find(name);
    if (!v) return {};
    auto const* s = v->if_string();
    if (!s || s->size() > max) return ok_ = false, std::string();
    return {s->data(), s->size()};
}

std::string json_reader::text_or(std::string_view name, std::string_view otherwise, std::size_t max) {
    return has(name) ? text(name, max) : std::string(otherwise);
}

std::uint64_t json_reader::number(std::string_view name) {
    auto const* v = find(name);
    if (!v) return 0;
    if (auto const* u = v->if_uint64()) return *u;
    if (auto const* i = v->if_int64(); i && *i >= 0) return std::uint64_t(*i);
    ok_ = false;
    return 0;
}

std::uint64_t json_reader::number_or(std::string_view name, std::uint64_t otherwise) { return has(name) ? number(name) : otherwise; }

std::int64_t json_reader::time(std::string_view name) {
    auto n = number(name);
    if (n > std::uint64_t(std::numeric_limits<std::int64_t>::max())) ok_ = false, n = 0;
    return std::int64_t(n);
}

bool json_reader::flag_or(std::string_view name, bool otherwise) {
    if (!has(name)) return otherwise;
    auto const* b = find(name)->if_bool();
    if (!b) ok_ = false;
    return b && *b;
}

digest256 json_reader::digest(std::string_view name) {
    auto s = text(name, 80);
    if (!ok_) return {};
    auto d = parse_digest(s);
    if (!d) return ok_ = false, digest256{};
    return *d;
}

std::vector<std::string> json_reader::texts(std::string_view name, std::size_t max_items) {
    std::vector<std::string> out;
    auto const& items = list(name);
    if (items.size() > max_items) ok_ = false;
    for (auto const& i : items) {
        auto const* s = i.if_string();
        if (!s || s->size() > 256) ok_ = false;
        else out.emplace_back(s->data(), s->size());
    }
    return out;
}

json::array const& json_reader::list(std::string_view name, bool required) {
    if (!required && !has(name)) return no_items;
    auto const* v = find(name);
    auto const* a = v ? v->if_array() : nullptr;
    if (!a) ok_ = false;
    return a ? *a : no_items;
}

json::object const& json_reader::object(std::string_view name, bool required) {
    if (!required && !has(name)) return no_members;
    auto const* v = find(name);
    auto const* o = v ? v->if_object() : nullptr;
    if (!o) ok_ = false;
    return o ? *o : no_members;
}

}
