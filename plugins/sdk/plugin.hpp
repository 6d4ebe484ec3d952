#pragma once
// The plugin author's page: derive from sdk::plugin, override what you care about (hooks.hpp), say what you are in `declare`,
// end the file with AIRMAIL_PLUGIN(my_class). Header-only over c_api.h, so a plugin built by another compiler loads.
// Every method runs on the plugin's lane: one thread, never two calls at once. See README.md for a first one in thirty minutes.

#include "plugins/sdk/adapter.hpp"
#include "plugins/sdk/hooks.hpp"
