#pragma once
// schema.graphqls, as it is written.

#include <string_view>

namespace airmail::dashboard::graphql {

std::string_view schema_text();

}
