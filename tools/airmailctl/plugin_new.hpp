#pragma once
// `airmailctl plugin new NAME [--c]`: writes a plugin project that builds against the installed headers. The files are
// compiled in from plugin_template/; @NAME@ in text and NAME in file names become the plugin's name.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::tools {

enum class plugin_language { cpp, c };

/// What was done, or why nothing was.
struct plugin_new_result {
    std::string error;                             // empty = done
    std::vector<std::filesystem::path> files;      // written, in order
    bool ok() const { return error.empty(); }
};

/// Writes the project into `directory`, which must not exist or be empty. `name`: [a-z][a-z0-9_]{0,40}, since it becomes
/// an identifier, a file name and part of a table's name. Writes nothing when it answers an error.
plugin_new_result plugin_new(std::string_view name, plugin_language language, std::filesystem::path const& directory);

}
