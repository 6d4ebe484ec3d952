#pragma once
// The broker's API as airmailctl speaks it: over the control socket (no key needed: the socket knows who we are) or over
// HTTPS with an API key. One request at a time; throws `trouble`, which knows the exit code.

#include "tools/airmailctl/failure.hpp"

#include <boost/json/value.hpp>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

namespace airmail::ctl {

/// Ends the command: one line for people, the broker's problem for --json.
class trouble : public std::runtime_error {
public:
    trouble(exit_code code, std::string const& text, boost::json::value problem = nullptr)
        : std::runtime_error(text), code_(code), problem_(std::move(problem)) {}
    exit_code code() const { return code_; }
    boost::json::value const& problem() const { return problem_; }

private:
    exit_code code_;
    boost::json::value problem_;
};

/// Where the broker is. `url` empty: the control socket.
struct target {
    std::string socket = "/run/airmail/control.sock";
    std::string url, key, ca_file;      // https://host:8443, am key, CA that signed the server (empty: the system's)
};

class api {
public:
    explicit api(target t) : target_(std::move(t)) {}

    /// `path` with query. A status of 400 and above throws: 404 not_found, 401/403/409/410/422/429 refused, else failed.
    boost::json::value get(std::string const& path) { return send("GET", path, nullptr); }
    boost::json::value post(std::string const& path, boost::json::value const& body) { return send("POST", path, body); }
    boost::json::value put(std::string const& path, boost::json::value const& body) { return send("PUT", path, body); }
    boost::json::value del(std::string const& path) { return send("DELETE", path, nullptr); }
    /// Brings a firmware file, in pieces: it goes on by itself where a lost connection or a restarted broker has cut it, for a minute
    /// without a step forward; called again for the same file, it goes on too. `query`: "" or "?version=...". `progress(sent, total)`.
    boost::json::value upload(std::string const& query, std::string const& file, std::function<void(std::uint64_t, std::uint64_t)> const& progress);

private:
    void append(std::string const& path, std::uint64_t offset, std::string piece, std::function<void(std::uint64_t)> const& progress);
    boost::json::value send(char const* verb, std::string const& path, boost::json::value const& body);
    target target_;
};

/// Percent-encodes one path segment or query value. [RFC 3986, 2.3]
std::string encoded(std::string_view s);

}
