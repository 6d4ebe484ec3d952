#include "tools/airmailctl/plugin_new.hpp"

#include "tools/airmailctl/plugin_template.hpp"

#include <algorithm>
#include <fstream>

namespace airmail::tools {

namespace {

std::string filled(std::string_view text, std::string_view mark, std::string_view name) {
    std::string out;
    for (;;) {
        auto at = text.find(mark);
        out += text.substr(0, at);
        if (at == text.npos) return out;
        out += name;
        text.remove_prefix(at + mark.size());
    }
}

bool valid_name(std::string_view name) {
    auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
    return !name.empty() && name.size() <= 41 && name[0] >= 'a' && name[0] <= 'z' && std::all_of(name.begin(), name.end(), good);
}

}

plugin_new_result plugin_new(std::string_view name, plugin_language language, std::filesystem::path const& directory) {
    namespace fs = std::filesystem;
    plugin_new_result out;
    if (!valid_name(name)) return out.error = "\"" + std::string{name} + "\" is not a plugin name: a letter, then letters, digits or _ (all small, at most 41)", out;
    std::error_code ec;
    if (fs::exists(directory, ec) && (!fs::is_directory(directory, ec) || !fs::is_empty(directory, ec)))
        return out.error = directory.string() + " exists and is not empty", out;
    if (fs::create_directories(directory, ec); ec) return out.error = directory.string() + ": " + ec.message(), out;
    std::string_view folder = language == plugin_language::c ? "c/" : "cpp/";
    for (auto const& f : plugin_template::files) {
        if (!std::string_view{f.path}.starts_with(folder)) continue;
        auto path = directory / filled(std::string_view{f.path}.substr(folder.size()), "NAME", name);
        std::ofstream file{path, std::ios::binary};
        file << filled(f.text, "@NAME@", name);
        if (!file.flush()) return out.error = path.string() + ": cannot be written", out;
        out.files.push_back(std::move(path));
    }
    return out;
}

}
