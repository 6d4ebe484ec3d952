// airmailctl user: people of the dashboard. Passwords come from the terminal (unseen) or from standard input, never from the command line.

#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/show.hpp"

#include <cstdio>
#include <iostream>
#include <termios.h>
#include <unistd.h>

namespace airmail::ctl {

namespace json = boost::json;

namespace {

struct add_options { std::string name, role = "viewer"; };
struct name_options { std::string name; };
struct role_options { std::string name, role; };
struct none {};

std::string line(char const* prompt) {
    termios kept{};
    bool const seen = ::tcgetattr(STDIN_FILENO, &kept) == 0;
    if (seen) {
        std::fputs(prompt, stderr);
        auto quiet = kept;
        quiet.c_lflag &= static_cast<tcflag_t>(~ECHO);
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    std::string text;
    bool const got = static_cast<bool>(std::getline(std::cin, text));
    if (seen) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &kept), std::fputc('\n', stderr);
    if (!got) throw failure(exit_code::usage, "no password: type it, or give it on standard input");
    return text;
}

std::string new_password() {
    auto const first = line("Password: ");
    if (::isatty(STDIN_FILENO) && line("Again: ") != first) throw failure(exit_code::usage, "the two passwords differ");
    return first;
}

}

void add_user(command_line::command app, context& c) {
    auto user = app.add_subcommand("user", "people of the dashboard");
    user.require_subcommand();
    auto shown = [&c](json::value const& v) { c.json ? json_line(v) : record(v); };
    auto role_of = [](command_line::command s, std::string& role) { return s.add_option("--role", role, "viewer, operator or admin").among({"viewer", "operator", "admin"}); };
    command<add_options>(user, "add", "makes a user; the password (12 bytes or more) is asked for", [role_of](command_line::command s, add_options& o) {
        s.add_option("name", o.name, "who").required();
        role_of(s, o.role).show_default();
    }, [&c, shown](add_options const& o) { shown(c.broker().post("/api/v1/users", json::object{{"name", o.name}, {"role", o.role}, {"password", new_password()}})); });
    command<name_options>(user, "passwd", "sets a password; ends the user's logins", [](command_line::command s, name_options& o) { s.add_option("name", o.name, "whose").required(); },
        [&c, shown](name_options const& o) { shown(c.broker().put("/api/v1/users/" + encoded(o.name) + "/password", json::object{{"password", new_password()}})); });
    command<role_options>(user, "role", "changes a role, at once", [](command_line::command s, role_options& o) {
        s.add_option("name", o.name, "whose").required();
        s.add_option("role", o.role, "viewer, operator or admin").required().among({"viewer", "operator", "admin"});
    }, [&c, shown](role_options const& o) { shown(c.broker().put("/api/v1/users/" + encoded(o.name) + "/role", json::object{{"role", o.role}})); });
    for (bool disabled : {true, false})
        command<name_options>(user, disabled ? "disable" : "enable", disabled ? "shuts a user out, at once" : "lets a user in again", [](command_line::command s, name_options& o) { s.add_option("name", o.name, "who").required(); },
            [&c, shown, disabled](name_options const& o) { shown(c.broker().put("/api/v1/users/" + encoded(o.name) + "/disabled", json::object{{"disabled", disabled}})); });
    command<none>(user, "list", "all users", [](command_line::command, none&) {}, [&c](none const&) {
        auto v = c.broker().get("/api/v1/users");
        c.json ? json_line(v) : table(v.at("users"), {{"NAME", "name"}, {"ROLE", "role"}, {"DISABLED", "disabled"}, {"CREATED", "created_at"}});
    });
    command<name_options>(user, "remove", "removes a user", [](command_line::command s, name_options& o) { s.add_option("name", o.name, "who").required(); },
        [&c, shown](name_options const& o) { shown(c.broker().del("/api/v1/users/" + encoded(o.name))); });
}

}
