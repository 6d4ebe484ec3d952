#pragma once
// airmailctl keys (keys.cpp).

#include "tools/airmailctl/commands/commands.hpp"

namespace airmail::ctl {

void add_keys(CLI::App& app, context& c);

}
