#pragma once
// Reading SQL rows by position.

#include "plugins/sdk/plugin.hpp"

namespace airmail::plugins::kit {

inline std::int64_t integer(sdk::sql_value const& v) {
    if (auto i = std::get_if<std::int64_t>(&v)) return *i;
    if (auto d = std::get_if<double>(&v)) return static_cast<std::int64_t>(*d);
    return 0;
}
/// "" for anything that is not text. The view lives as long as the row.
inline std::string_view text(sdk::sql_value const& v) {
    auto s = std::get_if<std::string>(&v);
    return s ? std::string_view{*s} : std::string_view{};
}
inline bool is_null(sdk::sql_value const& v) { return std::holds_alternative<std::nullptr_t>(v); }
/// NULL for 0, which stands for "never" in times.
inline sdk::sql_value or_null(std::int64_t v) { return v == 0 ? sdk::sql_value{nullptr} : sdk::sql_value{v}; }
inline sdk::sql_value or_null(std::string_view v) { return v.empty() ? sdk::sql_value{nullptr} : sdk::sql_value{std::string{v}}; }
inline sdk::sql_value txt(std::string_view v) { return std::string{v}; }

}
