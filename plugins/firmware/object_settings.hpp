#pragma once
// ota_object_store_*: whether images also lie in an object store, and where. Read by who uploads and by who writes URLs.

#include "plugins/outbound/object_client.hpp"
#include "plugins/sdk/plugin.hpp"

#include <optional>

namespace airmail::plugins {

/// Nullopt: no object store. Throws std::runtime_error naming the line that is wrong; the keys' file is read once to see that it can be.
std::optional<outbound::object_options> read_object_options(sdk::context& ctx);
/// Names the place in rows: images of another one have to go up again.
std::string place_text(storage::firmware::object_place const& p);

}
