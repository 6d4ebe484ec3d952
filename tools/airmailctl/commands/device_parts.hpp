#pragma once
// Subcommands of `airmailctl device` that have a file of their own.

#include "tools/airmailctl/commands/commands.hpp"

namespace airmail::ctl {

/// Beneath `device`: certify, command.
void add_device_certify(command_line::command device, context& c);
void add_device_command(command_line::command device, context& c);

}
