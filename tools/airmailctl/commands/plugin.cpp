// airmailctl plugin new: a project that builds against the installed headers.

#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/plugin_new.hpp"
#include "tools/airmailctl/show.hpp"

#include <boost/json/array.hpp>
#include <cstdio>

namespace airmail::ctl {

namespace {
struct new_options { std::string name, dir; bool c = false; };
}

void add_plugin(command_line::command app, context& c) {
    auto plugin = app.add_subcommand("plugin", "plugins of your own");
    plugin.require_subcommand();
    command<new_options>(plugin, "new", "a project that builds, with a test that needs no broker", [](command_line::command s, new_options& o) {
        s.add_option("name", o.name, "[a-z][a-z0-9_]*, at most 41 characters").required();
        s.add_flag("--c", o.c, "in C instead of C++");
        s.add_option("--dir", o.dir, "where (default: ./NAME)");
    }, [&c](new_options const& o) {
        auto const made = tools::plugin_new(o.name, o.c ? tools::plugin_language::c : tools::plugin_language::cpp, o.dir.empty() ? o.name : o.dir);
        if (!made.ok()) throw trouble(exit_code::failed, made.error);
        boost::json::array files;
        for (auto const& f : made.files) {
            files.push_back(boost::json::value(f.string()));
            if (!c.json) std::puts(f.c_str());
        }
        if (c.json) json_line(boost::json::object{{"files", files}});
    });
}

}
