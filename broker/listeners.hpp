#pragma once
// From a listener of the configuration to what net wants: rules, limits, TLS, how its certificates are read.

#include "broker/broker.hpp"
#include "broker/config/config.hpp"
#include "broker/net/network.hpp"

namespace airmail {

/// Builds everything but the socket. Throws startup_error 78 (or 77 for files that must not be readable by others).
net::listener_options listener_options_of(config::listener const& l);
/// The same for a reload: new rules and limits, the TLS files read again. On an error `why` says so and the old one stays.
bool reload_origin(config::listener const& l, net::origin const& running, net::origin& fresh, std::string& why);
/// How the answer about this listener's own certificate is fetched; null without tls_stapling. Throws startup_error.
net::ocsp_rules_ptr stapling_of(config::listener const& l);
/// TLS of the HTTPS side: a server certificate, no client certificate. Throws startup_error.
std::shared_ptr<net::tls> https_tls(config::config const& c);
/// Caps of the whole broker.
net::admission_limits admission_of(config::config const& c);
/// Who is kept waiting although there is room.
net::front_door_limits front_door_of(config::config const& c);
net::memory_limits memory_of(config::config const& c);

}
