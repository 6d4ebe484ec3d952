#pragma once
// Reading signed JSON without trust: remembers its first failure, then answers empty values, so the happy path stays straight and
// is checked once. Part of this room.

#include "storage/firmware/digest.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <initializer_list>
#include <optional>

namespace airmail::storage::firmware {

class json_reader {
public:
    /// Parses a text whose outermost value is an object, at most 16 levels deep.
    explicit json_reader(std::string_view text);
    /// Reads what lives elsewhere, and outlives this.
    explicit json_reader(boost::json::value const& v);
    explicit json_reader(boost::json::object const& o) : members_(&o) {}
    json_reader(json_reader const&) = delete;
    json_reader& operator=(json_reader const&) = delete;

    bool ok() const { return ok_; }
    void fail() { ok_ = false; }
    /// Fails when a member is not one of these.
    void only(std::initializer_list<std::string_view> names);

    bool has(std::string_view name) const;
    std::string text(std::string_view name, std::size_t max = 1024);
    std::string text_or(std::string_view name, std::string_view otherwise, std::size_t max = 1024);
    std::uint64_t number(std::string_view name);
    std::uint64_t number_or(std::string_view name, std::uint64_t otherwise);
    std::int64_t time(std::string_view name);          // unix seconds, not negative
    bool flag_or(std::string_view name, bool otherwise);
    digest256 digest(std::string_view name);
    std::vector<std::string> texts(std::string_view name, std::size_t max_items = 256);
    /// Empty when it is missing (and optional) or wrong.
    boost::json::array const& list(std::string_view name, bool required = true);
    boost::json::object const& object(std::string_view name, bool required = true);

private:
    boost::json::value const* find(std::string_view name);
    boost::json::value own_;
    boost::json::object const* members_ = nullptr;
    bool ok_ = true;
};

}
