#include "broker/host/loader.hpp"

#include <algorithm>
#include <cstddef>
#include <dlfcn.h>

namespace airmail::host {

static_assert(offsetof(airmail_plugin_v1_t, on_committed) + sizeof(void (*)(void*)) == table_bytes_min);

namespace {

bool valid_id(std::string_view id) {
    auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_'; };
    return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), good) && id.find('.') != id.npos;
}

}

void check_table(airmail_plugin_v1_t const* table, std::string_view where) {
    std::string at{where};
    if (!table) throw refusal(errc::bad_table, at + ": airmail_plugin_v1() returned nothing");
    // Size and version are read first: they are all that is known to be there.
    if (table->version != AIRMAIL_ABI_VERSION)
        throw refusal(errc::abi, at + ": built for plugin ABI " + std::to_string(table->version) + ", this airmaild speaks " +
                                     std::to_string(AIRMAIL_ABI_VERSION) + "; rebuild the plugin against this version's headers");
    if (table->size < table_bytes_min)
        throw refusal(errc::abi, at + ": its table has " + std::to_string(table->size) + " bytes, ABI 1 needs " +
                                     std::to_string(table_bytes_min) + "; set .size = sizeof(airmail_plugin_v1_t)");
    std::string_view id{table->id.ptr ? table->id.ptr : "", table->id.ptr ? table->id.len : 0};
    if (!valid_id(id))
        throw refusal(errc::bad_table, at + ": plugin id \"" + std::string{id} + "\" is not of the form vendor.name (a-z 0-9 . _ -, at most 64)");
    if (!table->declare || !table->create || !table->destroy)
        throw refusal(errc::bad_table, at + ": " + std::string{id} + " lacks " +
                                           (!table->declare ? "declare" : !table->create ? "create" : "destroy") + ", which every plugin has");
}

airmail_plugin_v1_t const* load(std::string const& path) {
    // A name without a slash would be searched for in the system's library path: that is never meant.
    if (path.find('/') == path.npos) throw refusal(errc::unreadable, path + ": write the plugin's whole path");
    void* image = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!image) throw refusal(errc::unreadable, "cannot load plugin: " + std::string{dlerror()});
    auto entry = reinterpret_cast<airmail_plugin_v1_t const* (*)()>(dlsym(image, "airmail_plugin_v1"));
    if (!entry)
        throw refusal(errc::no_symbol, path + ": not an Airmail plugin: it exports no airmail_plugin_v1 (end its source with AIRMAIL_PLUGIN(my_class))");
    auto const* table = entry();
    check_table(table, path);
    return table;
}

}
