#pragma once
// airmailctl keys (keys.cpp).

#include "tools/airmailctl/commands/commands.hpp"

namespace airmail::ctl {

void add_keys(command_line::command app, context& c);

}
