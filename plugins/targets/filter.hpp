#pragma once
// The two steps every method takes with a filter: read it or refuse it, then ask the registry.

#include "plugins/targets/query.hpp"

namespace airmail::plugins::targets {

/// Throws kit::refusal 400 with `code` and the place of the mistake.
query filter(std::string_view text, char const* code);
/// As a condition on `devices d`, parameters from ?first on; versions and time are the registry's.
condition where(sdk::context& ctx, query const& q, int first);
/// Has it an operator? A bare word is what the serial number begins with.
inline bool looks_like_filter(std::string_view q) { return q.find_first_of("=<>!") != q.npos; }

}
