// Speaks for the directive table: `house_config sample` prints the sample file, `rows` each name and what is done with it,
// `house_config check FILE` prints what the
// parser finds in a file and fails if it is anything at all. Used by check.py.

#include "broker/config/parse.hpp"

#include <cstdio>
#include <string_view>

using namespace airmail;

int main(int argc, char** argv) {
    std::string_view const verb = argc > 1 ? argv[1] : "";
    if (verb == "sample") return std::fputs(config::sample().c_str(), stdout) < 0;
    if (verb == "rows") {
        static constexpr char const* standings[] = {"obeyed", "ignored", "later", "refused"};
        for (auto const& d : config::directives())
            if (d.same_as.empty()) std::printf("%s\t%s\n", std::string{d.name}.c_str(), standings[static_cast<int>(d.status)]);
        return 0;
    }
    if (verb != "check" || argc < 3) return std::fputs("usage: house_config sample | rows | check FILE\n", stderr), 2;
    config::sources s;
    s.files = {argv[2]};
    auto const c = parse(s);
    for (auto const& f : c.findings()) std::puts(f.str().c_str());
    return c.findings().empty() ? 0 : 1;
}
