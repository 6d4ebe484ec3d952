#include "storage/replicate/postgres_link.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <fmt/core.h>
#include <libpq-fe.h>
#include <map>

namespace airmail::storage::replicate {
namespace {

using asio::posix::descriptor_base;

/// libpq speaks in paragraphs; a log line wants the first sentence.
std::string one_line(char const* text) {
    std::string s(text ? text : "");
    while (!s.empty() && (s.back() == '\n' || s.back() == ' ')) s.pop_back();
    for (auto& c : s)
        if (c == '\n' || c == '\t') c = ' ';
    if (s.size() > 400) s.resize(400);
    return s;
}

std::vector<std::string> split(std::string const& s) {
    std::vector<std::string> out{""};
    for (char c : s)
        if (c == ',') out.emplace_back();
        else out.back() += c;
    return out;
}

using settings_map = std::map<std::string, std::string>;

settings_map parse(std::string const& dsn, std::string& why) {
    settings_map out;
    char* error = nullptr;
    auto* options = PQconninfoParse(dsn.c_str(), &error);
    if (!options) why = one_line(error);
    for (auto* o = options; o && o->keyword; ++o)
        if (o->val && *o->val) out[o->keyword] = o->val;
    PQconninfoFree(options);
    PQfreemem(error);
    return out;
}

bool local(std::string const& host) { return host.empty() || host[0] == '/' || host == "localhost" || host == "127.0.0.1" || host == "::1"; }

/// One candidate per host and address; hosts that have no address are told in `tried`.
asio::awaitable<std::vector<settings_map>> candidates(settings_map const& all, std::string& tried) {
    auto value = [&](char const* key) {
        auto at = all.find(key);
        return at == all.end() ? std::string() : at->second;
    };
    auto const hosts = split(value("host")), ports = split(value("port"));
    std::vector<settings_map> out;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
        settings_map one = all;
        one["host"] = hosts[i];
        if (hosts[i].empty()) one.erase("host");
        one["port"] = ports.size() > 1 ? ports.at(std::min(i, ports.size() - 1)) : ports[0];
        if (one["port"].empty()) one["port"] = "5432";
        if (!local(hosts[i]) && !one.contains("sslmode")) one["sslmode"] = "verify-full";
        if (local(hosts[i]) && hosts[i] != "localhost") {
            out.push_back(std::move(one));
            continue;
        }
        asio::ip::tcp::resolver names(co_await asio::this_coro::executor);
        auto [ec, found] = co_await names.async_resolve(hosts[i], one["port"], with_error);
        if (ec) tried += (tried.empty() ? "" : "; ") + fmt::format("{}: {}", hosts[i], ec.message());
        else
            for (auto const& f : found) one["hostaddr"] = f.endpoint().address().to_string(), out.push_back(one);
    }
    co_return out;
}

}

std::string dsn_problem(std::string const& dsn) {
    std::string why;
    auto const s = parse(dsn, why);
    if (!why.empty()) return "is not a Postgres connection string (host=... dbname=... user=..., or postgresql://...)";
    if (s.contains("password")) return "must not hold the password: write replicate_postgres_password file:/path (or credential:, env:, exec:)";
    if (!s.contains("dbname")) return "names no database: add dbname=";
    if (auto p = s.find("port"); p != s.end() && split(p->second).size() > 1 && split(p->second).size() != split(s.contains("host") ? s.at("host") : "").size())
        return "must have one port, or one a host";
    return {};
}

std::vector<pg_statement> only(std::string sql) {
    std::vector<pg_statement> out(1);
    out[0].sql = std::move(sql);
    return out;
}

std::vector<pg_statement> only(std::string sql, std::string parameter) {
    auto out = only(std::move(sql));
    out[0].params.push_back(std::move(parameter));
    return out;
}

pg_link::~pg_link() { close(); }

void pg_link::close() {
    if (connection_) PQfinish(connection_);
    connection_ = nullptr;
}

pg_outcome pg_link::lost(char const* why) {
    pg_outcome o;
    o.error = fmt::format("{}: {}", server_, why);
    if (connection_)
        if (auto said = one_line(PQerrorMessage(connection_)); !said.empty()) o.error = fmt::format("{}: {}", server_, said);
    close();
    return o;
}

asio::awaitable<std::string> pg_link::connect(std::string const& dsn, std::string const& password, std::chrono::milliseconds timeout, bool writable) {
    close();
    std::string why, tried;
    auto all = parse(dsn, why);
    if (!why.empty()) co_return "the connection string is not one";
    if (!password.empty()) all["password"] = password;
    if (writable && !all.contains("target_session_attrs")) all["target_session_attrs"] = "read-write";
    if (!all.contains("application_name")) all["application_name"] = "airmail";
    all["gssencmode"] = "disable", all["client_encoding"] = "UTF8";
    auto const list = co_await candidates(all, tried);
    for (auto const& one : list) {
        // A host that swallows packets must not use up the time of the next.
        auto const share = std::min<std::chrono::milliseconds>(timeout, std::chrono::seconds(5));
        server_ = fmt::format("{}:{}", one.contains("host") ? one.at("host") : "local", one.at("port"));
        std::vector<std::pair<std::string, std::string>> const settings(one.begin(), one.end());
        auto const deadline = std::chrono::steady_clock::now() + share;
        why = co_await try_host(settings, deadline);
        if (why.empty()) co_return why;
        close();
        tried += (tried.empty() ? "" : "; ") + why;
    }
    co_return tried.empty() ? "no host to connect to" : tried;
}

asio::awaitable<std::string> pg_link::try_host(std::vector<std::pair<std::string, std::string>> const& settings, instant deadline) {
    std::vector<char const*> keys, values;
    for (auto const& [k, v] : settings) keys.push_back(k.c_str()), values.push_back(v.c_str());
    keys.push_back(nullptr), values.push_back(nullptr);
    connection_ = PQconnectStartParams(keys.data(), values.data(), 0);
    if (!connection_ || PQstatus(connection_) == CONNECTION_BAD) co_return lost("cannot connect").error;
    for (auto next = PGRES_POLLING_WRITING; next != PGRES_POLLING_OK; next = PQconnectPoll(connection_)) {
        if (next == PGRES_POLLING_FAILED) co_return lost("cannot connect").error;
        auto const what = next == PGRES_POLLING_READING ? descriptor_base::wait_read : descriptor_base::wait_write;
        bool const in_time = co_await ready(PQsocket(connection_), what, deadline);
        if (!in_time) {
            close();
            co_return fmt::format("{}: no answer in time", server_);
        }
    }
    PQsetnonblocking(connection_, 1);
    co_return std::string();
}

asio::awaitable<bool> pg_link::flush(instant deadline) {
    for (int left = PQflush(connection_); left != 0; left = PQflush(connection_)) {
        if (left < 0) co_return false;
        bool const in_time = co_await ready(PQsocket(connection_), descriptor_base::wait_write, deadline);
        if (!in_time) co_return false;
    }
    co_return true;
}

asio::awaitable<bool> pg_link::input(instant deadline) {
    while (PQisBusy(connection_)) {
        bool const in_time = co_await ready(PQsocket(connection_), descriptor_base::wait_read, deadline);
        if (!in_time) co_return false;
        if (!PQconsumeInput(connection_)) co_return false;
    }
    co_return true;
}

asio::awaitable<pg_outcome> pg_link::run(std::span<pg_statement const> statements, std::chrono::milliseconds timeout) {
    auto const deadline = std::chrono::steady_clock::now() + timeout;
    pg_outcome o;
    if (!connection_) co_return lost("not connected");
    if (PQpipelineStatus(connection_) == PQ_PIPELINE_OFF && !PQenterPipelineMode(connection_)) co_return lost("no pipeline");
    for (auto const& s : statements) {
        std::vector<char const*> values;
        for (auto const& p : s.params) values.push_back(p.c_str());
        if (!PQsendQueryParams(connection_, s.sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0)) co_return lost("cannot send");
    }
    if (!PQpipelineSync(connection_)) co_return lost("cannot send");
    bool const sent = co_await flush(deadline);
    if (!sent) co_return lost("did not take the batch in time");
    for (bool synced = false; !synced;) {
        bool const heard = co_await input(deadline);
        if (!heard) co_return lost("no answer in time");
        auto* r = PQgetResult(connection_);
        if (!r) {
            if (PQstatus(connection_) == CONNECTION_BAD) co_return lost("connection lost");
            continue;                              // the end of one statement's results
        }
        auto const status = PQresultStatus(r);
        if (status == PGRES_PIPELINE_SYNC) synced = true;
        else if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
            if (o.error.empty()) {
                auto const* code = PQresultErrorField(r, PG_DIAG_SQLSTATE);
                o.sqlstate = code ? code : "", o.error = one_line(PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY));
                if (o.error.empty()) o.error = one_line(PQresultErrorMessage(r));
                if (o.error.empty()) o.error = "failed";
                if (auto const* detail = PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL)) o.error += " (" + one_line(detail) + ")";
            }
        } else if (status == PGRES_TUPLES_OK) {
            o.rows.clear();
            for (int i = 0; i < PQntuples(r); ++i) {
                auto& row = o.rows.emplace_back();
                for (int c = 0; c < PQnfields(r); ++c) row.emplace_back(PQgetvalue(r, i, c));
            }
        }
        PQclear(r);
    }
    if (PQstatus(connection_) == CONNECTION_BAD) co_return lost("connection lost");
    co_return o;
}

}
