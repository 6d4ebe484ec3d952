#pragma once
// Mosquitto's dynamic-security JSON as our rules and a password file. Pure. Where the two cannot say the same, the result is
// the stricter one and a line says so.

#include "tools/migrate/report.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace airmail::migrate {

struct dynsec {
    std::string rules;       // `airmail 1`, with a line for each role
    std::string passwords;   // user:$7$...
};

/// @param file  its name, for the report
/// @return nothing, with `why`, when it is not such a JSON document
std::optional<dynsec> convert_dynsec(std::string_view json, std::string const& file, report& say, std::string& why);

}
