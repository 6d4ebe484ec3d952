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
    bool create = false, batch = false, remove = false;
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

void passwd(passwd_options const& o) {
    if (o.user.empty() || o.user.find_first_of(":\r\n") != o.user.npos || o.user.size() > 65535) throw failure(exit_code::usage, "a user name may not be empty or contain ':'");
    std::string text, out;
    if (!o.create) {
        auto read = storage::firmware::read_small_file(o.file, storage::firmware::secrecy::anyone, 64 << 20);
        if (!read) throw failure(exit_code::not_found, o.file + ": " + read.error().message() + " (-c makes a new file)");
        text = *read;
    }
    std::string line;
    if (!o.remove) {
        auto const password = o.batch ? o.password : ask();
        if (password.empty()) throw failure(exit_code::usage, "an empty password is refused");
        auto hash = acl::hash_password(password, scheme(o.hash), o.iterations);
        if (!hash) throw failure(exit_code::failed, "cannot hash: " + hash.error().message());
        line = o.user + ":" + *hash + "\n";
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
    // A broker that reads it while we write sees the old file or the new one; owner and mode stay the old file's.
    struct stat st {};
    bool const there = ::stat(o.file.c_str(), &st) == 0;
    if (auto done = storage::firmware::replace_file(o.file, out, there ? st.st_mode & 0777 : 0600); !done) throw failure(exit_code::failed, o.file + ": " + done.error().message());
    if (there && ::getuid() == 0 && ::chown(o.file.c_str(), st.st_uid, st.st_gid) != 0) std::fprintf(stderr, "airmailctl: %s belongs to root now\n", o.file.c_str());
}

}

void add_passwd(CLI::App& app, context&) {
    command<passwd_options>(app, "passwd", "users and passwords of password_file, with mosquitto_passwd's flags", [](CLI::App& s, passwd_options& o) {
        s.add_flag("-c", o.create, "make a new file (an existing one is replaced)");
        s.add_flag("-b", o.batch, "take the password from the command line, where other users may see it");
        s.add_flag("-D", o.remove, "remove the user");
        s.add_option("-H", o.hash, "hash")->check(CLI::IsMember({"argon2id", "sha512-pbkdf2", "sha512", "scram-sha-256"}))->capture_default_str();
        s.add_option("-I", o.iterations, "rounds (0 = the scheme's own)");
        s.add_option("file", o.file, "password file")->required();
        s.add_option("user", o.user, "user name")->required();
        s.add_option("password", o.password, "with -b: the password");
    }, [](passwd_options const& o) { passwd(o); });
}

}
