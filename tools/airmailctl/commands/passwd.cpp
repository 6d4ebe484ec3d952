// airmailctl passwd: password files as mosquitto_passwd writes them. Needs no broker.

#include "acl/password.hpp"
#include "storage/firmware/files.hpp"
#include "tools/airmailctl/commands/commands.hpp"
#include "tools/airmailctl/failure.hpp"

#include <cstdio>
#include <iostream>
#include <sstream>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

namespace airmail::ctl {

namespace {

struct passwd_options {
    std::string file, user, password, hash = "argon2id";
    unsigned iterations = 0;
    bool create = false, batch = false, remove = false, upgrade = false;
};

/// Asks twice on a terminal, without echo; reads one line otherwise.
std::string ask() {
    std::string first, second;
    if (!::isatty(STDIN_FILENO)) {
        std::getline(std::cin, first);
        return first;
    }
    termios kept{};
    ::tcgetattr(STDIN_FILENO, &kept);
    auto silent = kept;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &silent);
    std::fputs("Password: ", stderr), std::getline(std::cin, first);
    std::fputs("\nAgain: ", stderr), std::getline(std::cin, second);
    std::fputs("\n", stderr);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &kept);
    if (first != second) throw failure(exit_code::usage, "the two passwords differ");
    return first;
}

acl::password_scheme scheme(std::string const& name) {
    if (name == "sha512") return acl::password_scheme::sha512;
    if (name == "scram-sha-256") return acl::password_scheme::scram_sha256;
    return name == "sha512-pbkdf2" ? acl::password_scheme::pbkdf2_sha512 : acl::password_scheme::argon2id;
}

/// A broker that reads the file while we write sees the old one or the new one; owner and mode stay the old file's.
void replace(std::string const& file, std::string const& text) {
    struct stat st {};
    bool const there = ::stat(file.c_str(), &st) == 0;
    if (auto done = storage::firmware::replace_file(file, text, there ? st.st_mode & 0777 : 0600); !done) throw failure(exit_code::failed, file + ": " + done.error().message());
    if (there && ::getuid() == 0 && ::chown(file.c_str(), st.st_uid, st.st_gid) != 0) std::fprintf(stderr, "airmailctl: %s belongs to root now\n", file.c_str());
}

std::string read(std::string const& file) {
    auto text = storage::firmware::read_small_file(file, storage::firmware::secrecy::anyone, 64 << 20);
    if (!text) throw failure(exit_code::not_found, file + ": " + text.error().message() + " (-c makes a new file)");
    return *text;
}

std::string hashed(std::string const& password, passwd_options const& o) {
    if (password.empty()) throw failure(exit_code::usage, "an empty password is refused");
    auto hash = acl::hash_password(password, scheme(o.hash), o.iterations);
    if (!hash) throw failure(exit_code::failed, "cannot hash: " + hash.error().message());
    return *hash;
}

/// -U: what is plain text becomes a hash; what is one already stays, so that a second run changes nothing.
void upgrade(passwd_options const& o) {
    if (!o.user.empty() || o.create || o.batch || o.remove) throw failure(exit_code::usage, "-U takes the file and no user, and none of -c -b -D");
    std::istringstream in(read(o.file));
    std::string out;
    int number = 0, changed = 0;
    for (std::string line; std::getline(in, line);) {
        ++number;
        auto const colon = line.find(':');
        while (!line.empty() && line.back() == '\r') line.pop_back();
        if (line.empty() || line.front() == '#' || colon == line.npos) {
            out += line + "\n";
            continue;
        }
        auto const password = line.substr(colon + 1);
        if (password.empty()) throw failure(exit_code::failed, o.file + ":" + std::to_string(number) + ": user \"" + line.substr(0, colon) + "\" has no password; nothing was changed");
        bool const done = acl::is_password_hash(password);
        out += line.substr(0, colon + 1) + (done ? password : hashed(password, o)) + "\n";
        changed += !done;
    }
    replace(o.file, out);
    std::printf("%d passwords hashed\n", changed);
}

void passwd(passwd_options const& o) {
    if (o.upgrade) return upgrade(o);
    if (o.create && o.remove) throw failure(exit_code::usage, "-c and -D exclude each other");
    if (o.batch && !o.remove && o.password.empty()) throw failure(exit_code::usage, "-b needs the password after the user");
    if (!o.batch && !o.password.empty()) throw failure(exit_code::usage, "a password on the command line needs -b");
    if (o.user.empty() || o.user.find_first_of(":\r\n") != o.user.npos || o.user.size() > 65535) throw failure(exit_code::usage, "a user name may not be empty or contain ':'");
    std::string text, out;
    if (!o.create) text = read(o.file);
    std::string line;
    if (!o.remove) {
        line = o.user + ":" + hashed(o.batch ? o.password : ask(), o) + "\n";
    }
    bool found = false;
    std::istringstream in(text);
    for (std::string old; std::getline(in, old);) {
        bool const same = old.compare(0, o.user.size() + 1, o.user + ":") == 0;
        if (!same) out += old + "\n";
        else if (!found) out += line;
        found |= same;
    }
    if (o.remove && !found) throw failure(exit_code::not_found, "no user " + o.user + " in " + o.file);
    if (!found) out += line;
    replace(o.file, out);
}

}

void add_passwd(command_line::command app, context&) {
    command<passwd_options>(app, "passwd", "users and passwords of password_file, with mosquitto_passwd's flags", [](command_line::command s, passwd_options& o) {
        s.add_flag("-c", o.create, "make a new file (an existing one is replaced)");
        s.add_flag("-b", o.batch, "take the password from the command line, where other users may see it");
        s.add_flag("-D", o.remove, "remove the user");
        s.add_flag("-U", o.upgrade, "hash the plain-text passwords of a whole file");
        s.add_option("-H", o.hash, "hash").among({"argon2id", "sha512-pbkdf2", "sha512", "scram-sha-256"}).show_default();
        s.add_option("-I", o.iterations, "rounds (0 = the scheme's own)");
        s.add_option("file", o.file, "password file").required();
        s.add_option("user", o.user, "user name");
        s.add_option("password", o.password, "with -b: the password");
    }, [](passwd_options const& o) { passwd(o); });
}

}
