#pragma once
// A program's options and subcommands, without CLI11 in anybody's includes: its headers alone cost seven seconds of compiler for each
// file that names them, and only command_line.cpp has to.
//
//   command_line::program app{"what it is", "name 1.0"};
//   app.add_option("--limit", limit, "at most so many").between(1, 1000).show_default();
//   app.add_subcommand("list", "what there is").on_chosen([&] { ... });
//   if (auto code = app.parse(argc, argv)) return *code;

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}

namespace airmail::command_line {

/// One option or argument; refers to its command, which must be alive. Each call returns the same option.
class option {
public:
    explicit option(CLI::Option* at) : at_(at) {}
    option required();
    /// Help shows what the variable held when the option was added.
    option show_default();
    option environment(std::string variable);
    /// "a,b" is two values of a list.
    option delimiter(char c);
    /// Only together with `other`.
    option needs(option other);
    option among(std::vector<std::string> words);
    option between(double low, double high);
    option positive();

private:
    CLI::Option* at_;
};

/// The program, or one of its subcommands; refers to the program, which must be alive.
class command {
public:
    explicit command(CLI::App* at) : at_(at) {}
    /// "-o,--out" or "name" of an argument. `to` is written by parse() and must live until then. T: std::string, the integers, double,
    /// std::chrono::seconds (a number), std::vector<std::string> (repeatable); others do not link.
    template <class T>
    option add_option(std::string names, T& to, std::string doc = {});
    /// A value of a syntax of its own: `take` returns what is wrong with the text, or nothing.
    option add_parsed(std::string names, std::function<std::string(std::string const&)> take, std::string doc);
    /// "!--no-x" clears `to`.
    option add_flag(std::string names, bool& to, std::string doc);
    command add_subcommand(std::string name, std::string doc);
    /// A subcommand has to be named.
    void require_subcommand();
    /// Runs inside parse(), once all options are read; what it throws leaves parse().
    void on_chosen(std::function<void()> run);

protected:
    CLI::App* at_;
};

class program : public command {
public:
    explicit program(std::string doc, std::string version = {});
    ~program();
    program(program const&) = delete;
    program& operator=(program const&) = delete;
    /// Options of the program may stand behind a subcommand too.
    void options_anywhere();
    /// @return nothing when the program goes on; else how it ends: 0 after --help and --version, another number after a usage error,
    /// which has been printed.
    std::optional<int> parse(int argc, char const* const* argv);
    /// Prints a usage error as parse() does. @return its exit code
    int refuse(std::string const& names, std::string const& words);

private:
    std::unique_ptr<CLI::App> app_;
};

}
