#include "plugins/kit/image_keys.hpp"

#include <algorithm>
#include <stdexcept>

namespace airmail::plugins::kit {

namespace fw = storage::firmware;

fw::firmware_store open_image_store(sdk::context& ctx) {
    auto const dir = ctx.option("ota_firmware_dir"), list = ctx.option("ota_firmware_key");
    if (dir.empty()) throw std::runtime_error("ota_firmware_dir is not set: where images are kept");
    std::vector<std::string> files;
    for (std::size_t at = 0; at < list.size();) {
        auto const end = std::min(list.find(',', at), list.size());
        files.push_back(list.substr(at, end - at)), at = end + 1;
    }
    std::string which;
    auto keys = fw::image_keys::load(files, which);
    if (!keys) throw std::runtime_error("ota_firmware_key " + which + ": " + keys.error().message() + " (a file of ours, 0600, with 64 hex digits: openssl rand -hex 32)");
    auto store = fw::firmware_store::open(dir, std::move(*keys));
    if (!store) throw std::runtime_error("ota_firmware_dir " + dir + ": " + store.error().message());
    return std::move(*store);
}

}
