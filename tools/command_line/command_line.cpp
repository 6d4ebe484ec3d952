#include "tools/command_line/command_line.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <cstdint>

namespace airmail::command_line {

option option::required() { return at_->required(), *this; }
option option::show_default() { return at_->capture_default_str(), *this; }
option option::environment(std::string variable) { return at_->envname(std::move(variable)), *this; }
option option::delimiter(char c) { return at_->delimiter(c), *this; }
option option::needs(option other) { return at_->needs(other.at_), *this; }
option option::among(std::vector<std::string> words) { return at_->check(CLI::IsMember(std::move(words))), *this; }
option option::positive() { return at_->check(CLI::PositiveNumber), *this; }

option option::between(double low, double high) {
    // Whole bounds are shown as whole numbers.
    if (low == static_cast<double>(static_cast<std::int64_t>(low)) && high == static_cast<double>(static_cast<std::int64_t>(high)))
        return at_->check(CLI::Range(static_cast<std::int64_t>(low), static_cast<std::int64_t>(high))), *this;
    return at_->check(CLI::Range(low, high)), *this;
}

template <class T>
option command::add_option(std::string names, T& to, std::string doc) {
    return option{at_->add_option(std::move(names), to, std::move(doc))};
}
template option command::add_option(std::string, std::string&, std::string);
template option command::add_option(std::string, std::vector<std::string>&, std::string);
template option command::add_option(std::string, int&, std::string);
template option command::add_option(std::string, unsigned&, std::string);
template option command::add_option(std::string, long&, std::string);
template option command::add_option(std::string, unsigned long&, std::string);
template option command::add_option(std::string, std::uint16_t&, std::string);
template option command::add_option(std::string, double&, std::string);
template option command::add_option(std::string, std::chrono::seconds&, std::string);

option command::add_parsed(std::string names, std::function<std::string(std::string const&)> take, std::string doc) {
    auto const read = [take = std::move(take), names](std::string const& text) {
        if (auto const wrong = take(text); !wrong.empty()) throw CLI::ValidationError(names, wrong);
    };
    return option{at_->add_option_function<std::string>(names, read, std::move(doc))};
}

option command::add_flag(std::string names, bool& to, std::string doc) { return option{at_->add_flag(std::move(names), to, std::move(doc))}; }
command command::add_subcommand(std::string name, std::string doc) { return command{at_->add_subcommand(std::move(name), std::move(doc))}; }
void command::require_subcommand() { at_->require_subcommand(1); }
void command::on_chosen(std::function<void()> run) { at_->callback(std::move(run)); }

program::program(std::string doc, std::string version) : command(nullptr), app_(std::make_unique<CLI::App>(std::move(doc))) {
    at_ = app_.get();
    if (!version.empty()) app_->set_version_flag("--version", std::move(version));
}
program::~program() = default;

void program::options_anywhere() { app_->fallthrough(); }

std::optional<int> program::parse(int argc, char const* const* argv) {
    try {
        app_->parse(argc, argv);
        return std::nullopt;
    } catch (CLI::ParseError const& e) {
        return app_->exit(e);
    }
}

int program::refuse(std::string const& names, std::string const& words) { return app_->exit(CLI::ValidationError(names, words)); }

}
