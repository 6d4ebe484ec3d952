#pragma once
// Real Postgres and Redis servers in throw-away directories on loopback, started and ended by the test, and the shortest way
// to ask them. Postgres refuses root: then it runs as the user `postgres` (or `nobody`).

#include "tests/support/program.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace airmail::testing {

/// A directory that another user may own; gone at the end.
class server_dir {
public:
    explicit server_dir(std::string const& what) {
        std::string name = "/tmp/airmail-" + what + "-XXXXXX";
        if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
        path_ = name;
    }
    ~server_dir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    server_dir(server_dir const&) = delete;
    std::string operator/(std::string const& name) const { return path_ + "/" + name; }
    std::string const& path() const { return path_; }

private:
    std::string path_;
};

/// Ends a child of ours: SIGINT (Postgres: fast), SIGTERM or SIGKILL.
inline void end_child(pid_t& child, int with) {
    int status = 0;
    if (child > 0) ::kill(child, SIGCONT), ::kill(child, with), ::waitpid(child, &status, 0);
    child = -1;
}

using pg_rows = std::vector<std::vector<std::string>>;

/// One question on a connection of its own. NULL is "". Throws with the server's words.
inline pg_rows pg_ask(std::string const& dsn, std::string const& sql) {
    auto* c = PQconnectdb(dsn.c_str());
    PQsetNoticeProcessor(c, [](void*, char const*) {}, nullptr);
    std::string failed = PQstatus(c) == CONNECTION_OK ? "" : PQerrorMessage(c);
    pg_rows out;
    if (failed.empty()) {
        auto* r = PQexec(c, sql.c_str());
        auto const s = PQresultStatus(r);
        if (s != PGRES_COMMAND_OK && s != PGRES_TUPLES_OK) failed = std::string(PQresultErrorMessage(r)) + " in: " + sql;
        for (int i = 0; i < PQntuples(r); ++i) {
            auto& row = out.emplace_back();
            for (int f = 0; f < PQnfields(r); ++f) row.emplace_back(PQgetvalue(r, i, f));
        }
        PQclear(r);
    }
    PQfinish(c);
    if (!failed.empty()) throw std::runtime_error(failed);
    return out;
}

/// Owned by: one test program; databases are made per test.
class postgres_server {
public:
    explicit postgres_server(std::vector<std::string> settings = {}) : dir_("pg"), settings_(std::move(settings)) {
        give_away();
        must({bin("initdb"), "-D", data(), "-U", "airmail", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"});
        start();
    }
    /// A standby of another, streaming.
    explicit postgres_server(postgres_server const& primary) : dir_("pgstandby") {
        give_away();
        must({bin("pg_basebackup"), "-D", data(), "-R", "-X", "stream", "-c", "fast", "--no-sync", "-d", "host=127.0.0.1 user=airmail port=" + std::to_string(primary.port())});
        start();
    }
    ~postgres_server() { end_child(child_, SIGQUIT); }

    std::uint16_t port() const { return port_; }
    std::string dir() const { return dir_.path(); }
    std::string data() const { return dir_ / "data"; }
    std::string dsn(std::string const& database = "postgres", int port = 0) const {
        return "host=127.0.0.1 user=airmail dbname=" + database + " port=" + std::to_string(port ? port : port_);
    }
    /// A new empty database.
    std::string fresh() {
        auto const name = "t" + std::to_string(++databases_);
        pg_ask(dsn(), "CREATE DATABASE " + name);
        return name;
    }
    void stop() { end_child(child_, SIGINT); }
    void kill() { end_child(child_, SIGQUIT); }      // at once, no checkpoint: recovery at the next start
    void start() {
        for (int attempt = 0; attempt < 5; ++attempt) {
            if (port_ == 0) port_ = port_free_now();
            std::vector<std::string> args{bin("postgres"), "-D", data(), "-p", std::to_string(port_), "-k", dir_.path(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=40"};
            for (auto const& s : settings_) args.push_back("-c"), args.push_back(s);
            int const log = ::open((dir_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
            child_ = spawn(as_user(args), log);
            ::close(log);
            if (eventually([this] { return !alive() || answers(); }, std::chrono::seconds(30)) && alive()) return;
            end_child(child_, SIGQUIT);
            if (!fixed_) port_ = 0;
        }
        throw std::runtime_error("postgres does not start: " + said());
    }
    /// The port stays its own over restarts (the default once it was up).
    void promote() { must({bin("pg_ctl"), "promote", "-D", data(), "-w"}); }
    std::string said() const {
        std::ifstream in(dir_ / "log");
        std::ostringstream out;
        out << in.rdbuf();
        return out.str();
    }
    static std::vector<std::string> as_user(std::vector<std::string> args) {
        if (::geteuid() != 0) return args;
        std::vector<std::string> all{"setpriv", std::string("--reuid=") + user(), std::string("--regid=") + (std::string(user()) == "nobody" ? "nogroup" : user()), "--clear-groups"};
        all.insert(all.end(), args.begin(), args.end());
        return all;
    }
    static char const* user() { return ::getpwnam("postgres") ? "postgres" : "nobody"; }

private:
    static std::string bin(std::string const& name) {
        for (auto const* version : {"15", "16", "17", "14"})
            if (auto path = std::string("/usr/lib/postgresql/") + version + "/bin/" + name; ::access(path.c_str(), X_OK) == 0) return path;
        return name;
    }
    void give_away() {
        if (auto const* p = ::geteuid() == 0 ? ::getpwnam(user()) : nullptr) (void)!::chown(dir_.path().c_str(), p->pw_uid, p->pw_gid);
    }
    void must(std::vector<std::string> const& args) {
        if (auto o = run(as_user(args)); o.code != 0) throw std::runtime_error(args[0] + ": " + o.text);
    }
    bool answers() {
        bool const good = PQping(dsn().c_str()) == PQPING_OK;
        fixed_ |= good;
        return good;
    }
    bool alive() {
        int status = 0;
        if (child_ > 0 && ::waitpid(child_, &status, WNOHANG) == child_) child_ = -1;
        return child_ > 0;
    }

    server_dir dir_;
    std::vector<std::string> settings_;
    pid_t child_ = -1;
    std::uint16_t port_ = 0;
    bool fixed_ = false;
    int databases_ = 0;
};

/// What redis-cli would print: text, a number as text, "" for nothing, lists joined by newlines; errors as "(error) ...".
class redis_server {
public:
    explicit redis_server(std::vector<std::string> settings = {}) : dir_("redis"), settings_(std::move(settings)) { start(); }
    ~redis_server() { kill(); }
    std::uint16_t port() const { return port_; }
    std::string dir() const { return dir_.path(); }
    std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }
    void kill() {
        if (c_) redisFree(c_);
        c_ = nullptr;
        end_child(child_, SIGKILL);
    }
    void pause() { ::kill(child_, SIGSTOP); }
    void resume() { ::kill(child_, SIGCONT); }
    void start() {
        for (int attempt = 0; attempt < 5; ++attempt) {
            if (port_ == 0) port_ = port_free_now();
            std::vector<std::string> args{"redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1", "--save", "", "--dir", dir_.path(), "--daemonize", "no"};
            args.insert(args.end(), settings_.begin(), settings_.end());
            int const log = ::open((dir_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
            child_ = spawn(args, log);
            ::close(log);
            if (eventually([this] { return !alive() || ask({"PING"}) != ""; }, std::chrono::seconds(20)) && alive()) return;
            kill();
            port_ = 0;
        }
        throw std::runtime_error("redis-server does not start");
    }
    std::string ask(std::vector<std::string> const& words) {
        if (c_ && c_->err) redisFree(c_), c_ = nullptr;
        if (!c_) c_ = redisConnect("127.0.0.1", port_);
        if (!c_ || c_->err) return {};
        std::vector<char const*> argv;
        std::vector<std::size_t> sizes;
        for (auto const& w : words) argv.push_back(w.data()), sizes.push_back(w.size());
        auto* r = static_cast<redisReply*>(redisCommandArgv(c_, static_cast<int>(argv.size()), argv.data(), sizes.data()));
        if (!r) return {};
        auto out = text(*r);
        freeReplyObject(r);
        return out;
    }

private:
    static std::string text(redisReply const& r) {
        if (r.type == REDIS_REPLY_INTEGER) return std::to_string(r.integer);
        if (r.type == REDIS_REPLY_ERROR) return "(error) " + std::string(r.str, static_cast<std::size_t>(r.len));
        if (r.type == REDIS_REPLY_ARRAY) {
            std::string out;
            for (std::size_t i = 0; i < r.elements; ++i) out += text(*r.element[i]) + "\n";
            return out;
        }
        return r.str ? std::string(r.str, static_cast<std::size_t>(r.len)) : std::string();
    }
    bool alive() {
        int status = 0;
        if (child_ > 0 && ::waitpid(child_, &status, WNOHANG) == child_) child_ = -1;
        return child_ > 0;
    }

    server_dir dir_;
    std::vector<std::string> settings_;
    pid_t child_ = -1;
    std::uint16_t port_ = 0;
    redisContext* c_ = nullptr;
};

}
