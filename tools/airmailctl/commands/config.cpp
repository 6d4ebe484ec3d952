// airmailctl config: what a configuration would do, without starting anything.

#include "broker/config/parse.hpp"
#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/show.hpp"

#include <boost/json/array.hpp>
#include <cstdio>

namespace airmail::ctl {

namespace {
struct check_options { std::vector<std::string> files; };

char const* word(config::finding::grade g) {
    switch (g) {
    case config::finding::grade::note: return "note";
    case config::finding::grade::warning: return "warning";
    case config::finding::grade::error: break;
    }
    return "error";
}
}

void add_config(command_line::command app, context& c) {
    auto group = app.add_subcommand("config", "configuration files");
    group.require_subcommand();
    command<check_options>(group, "check", "every finding with file and line; exit 1 when one is an error", [](command_line::command s, check_options& o) { s.add_option("file", o.files, "configuration files, in order").required(); },
        [&c](check_options const& o) {
            config::sources from;
            from.files = o.files;
            auto checked = config::parse(from);
            boost::json::array list;
            for (auto const& f : checked.findings()) {
                if (c.json) list.push_back(boost::json::object{{"grade", word(f.weight)}, {"file", f.file}, {"line", f.line}, {"text", f.text}});
                else std::puts(f.str().c_str());
            }
            if (c.json) json_line(boost::json::object{{"ok", checked.ok()}, {"findings", list}});
            if (!checked.ok()) throw trouble(exit_code::failed, "the configuration has errors");
        });
}

}
