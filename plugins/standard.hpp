#pragma once
// The built-in plugins: with these, the broker is an update server.

#include "plugins/sdk/c_api.h"

#include <vector>

namespace airmail::plugins {

/// Their tables, valid for ever, in an order that fits. All of them belong together: they read one another's tables.
std::vector<airmail_plugin_v1_t const*> standard();

}
