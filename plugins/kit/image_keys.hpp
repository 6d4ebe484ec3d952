#pragma once
// The keys of images at rest, as every plugin that opens the image store reads them.

#include "plugins/sdk/plugin.hpp"
#include "storage/firmware/firmware_store.hpp"

namespace airmail::plugins::kit {

/// ota_firmware_dir with the keys of ota_firmware_key. Throws std::runtime_error naming the line that is wrong.
storage::firmware::firmware_store open_image_store(sdk::context& ctx);

}
