#pragma once
// What the end-to-end tests of the broker share: a fleet's certificates, and clients that connect with them.

#include "tests/support/certs.hpp"
#include "tests/support/daemon.hpp"
#include "tests/support/results.hpp"
#include "tools/client/blocking_client.hpp"
#include "tools/client/tls.hpp"

#include <doctest/doctest.h>
#include <map>
#include <memory>

namespace airmail::testing {

using client::blocking_client;
using client::connect_options;
using codec::reason;
using namespace std::chrono_literals;

inline constexpr std::uint32_t for_ever = 0xFFFFFFFF;

/// The keys of everyone, made once per program: one CA, one stranger's CA, each device once.
class fleet {
public:
    static fleet& get() {
        static fleet one;
        return one;
    }
    /// Lines of a device listener on {tls} with our CA.
    std::string device_listener() const {
        return "listener {tls} 127.0.0.1\ndevice_listener true\ncafile " + ours.ca_file() + "\ncertfile " + ours.server().certificate + "\nkeyfile " + ours.server().key + "\n";
    }
    std::shared_ptr<client::tls_context const> as(std::string const& id) {
        auto& c = contexts_[id];
        if (!c) c = context(ours.device(id));
        return c;
    }
    /// A context that shows this certificate; empty files: none at all.
    std::shared_ptr<client::tls_context const> context(cert_files const& f) const {
        auto c = client::tls_context::make({.ca = ours.ca_file(), .certificate = f.certificate, .key = f.key});
        if (!c) throw std::runtime_error(c.error().message());
        return *c;
    }
    certs ours, strangers;

private:
    std::map<std::string, std::shared_ptr<client::tls_context const>> contexts_;
};

/// How device `id` connects: its own certificate, client id = id, QoS 1 session that lives for a day.
inline connect_options device_options(broker_process const& d, std::string const& id) {
    connect_options o;
    o.port = d.tls_port();
    o.tls = fleet::get().as(id);
    o.server_name = "localhost";
    o.client_id = id;
    o.clean_start = false;
    o.session_expiry = 86'400;
    return o;
}

/// How anyone connects to the plain listener.
inline connect_options plain_options(broker_process const& d, std::string const& id, bool clean = true, codec::version v = codec::version::v5) {
    connect_options o;
    o.port = d.port();
    o.client_id = id;
    o.clean_start = clean;
    o.protocol = v;
    if (!clean) o.session_expiry = 86'400;
    return o;
}

/// Starts or fails the test with the broker's own words.
inline void up(broker_process& d) {
    auto const why = d.start();
    REQUIRE_MESSAGE(why.empty(), why);
}

inline void connects(blocking_client& c, connect_options const& o) {
    auto const hello = c.connect(o);
    REQUIRE_MESSAGE(hello.has_value(), "connect: " << (hello ? "" : hello.error().message()) << (c.closed() ? " " + c.closed()->detail : ""));
}

/// Nothing at all comes: proved by a message that goes the same way behind everything sent before.
inline void receives_only(blocking_client& c, std::string const& topic, std::string const& payload) {
    auto const m = c.receive();
    REQUIRE(m.has_value());
    CHECK(m->topic == topic);
    CHECK(m->payload == payload);
    CHECK(c.waiting() == 0);
}

}
