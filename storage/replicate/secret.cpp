#include "storage/replicate/secret.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace airmail::storage::replicate {
namespace {

constexpr std::size_t secret_bytes_max = 4096;

bool take(std::string_view& s, std::string_view prefix) {
    if (!s.starts_with(prefix)) return false;
    s.remove_prefix(prefix.size());
    return true;
}

std::string first_line(std::string s) {
    s.resize(std::min(s.size(), s.find_first_of("\r\n")));
    return s;
}

std::string from_file(std::string const& path, std::string& why) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return why = "cannot read " + path + ": " + std::strerror(errno), std::string{};
    std::string text(secret_bytes_max, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    text = first_line(std::move(text));
    if (text.empty()) why = path + " is empty";
    return text;
}

std::string from_program(std::string_view command, std::string& why) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < command.size();) {
        auto end = std::min(command.find(' ', at), command.size());
        if (end > at) words.emplace_back(command.substr(at, end - at));
        at = end + 1;
    }
    std::vector<char*> argv;
    for (auto& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    int out[2];
    if (::pipe2(out, O_CLOEXEC) != 0) return why = std::string("exec: ") + std::strerror(errno), std::string{};
    pid_t const child = ::fork();
    if (child == 0) {
        ::dup2(out[1], 1);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    ::close(out[1]);
    std::string text;
    auto const deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    bool late = false;
    for (char piece[512]; child > 0 && text.size() < secret_bytes_max;) {
        auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        pollfd p{out[0], POLLIN, 0};
        if (left <= 0 || ::poll(&p, 1, static_cast<int>(left)) == 0) {
            late = true;
            break;
        }
        auto const n = ::read(out[0], piece, sizeof piece);
        if (n <= 0 && errno != EINTR) break;
        if (n == 0) break;
        if (n > 0) text.append(piece, static_cast<std::size_t>(n));
    }
    ::close(out[0]);
    int status = 0;
    if (child > 0) {
        if (late) ::kill(child, SIGKILL);
        ::waitpid(child, &status, 0);
    }
    if (child < 0 || late || status != 0) {
        why = words[0] + (late ? " gave no answer in 5 s" : " failed with exit code " + std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : 128));
        return {};
    }
    text = first_line(std::move(text));
    if (text.empty()) why = words[0] + " wrote nothing";
    return text;
}

}

std::string secret_problem(std::string_view r) {
    if (r.empty()) return {};
    for (auto prefix : {"file:/", "exec:/"})
        if (r.starts_with(prefix)) return {};
    for (std::string_view prefix : {"credential:", "env:"})
        if (r.starts_with(prefix) && r.size() > prefix.size() && r.find('/') == r.npos) return {};
    return "must name where the secret is, not the secret: file:/path, credential:NAME, env:NAME or exec:/path/to/program";
}

std::string read_secret(std::string_view r, std::string& why) {
    if (r.empty()) return {};
    if (take(r, "file:")) return from_file(std::string(r), why);
    if (take(r, "exec:")) return from_program(r, why);
    if (take(r, "credential:")) {
        auto const* where = std::getenv("CREDENTIALS_DIRECTORY");
        if (!where) return why = "CREDENTIALS_DIRECTORY is not set: is LoadCredential= in the unit?", std::string{};
        return from_file(std::string(where) + "/" + std::string(r), why);
    }
    if (take(r, "env:")) {
        auto const* value = std::getenv(std::string(r).c_str());
        if (!value || !*value) return why = "the environment has no " + std::string(r), std::string{};
        return value;
    }
    return why = secret_problem(r), std::string{};
}

}
