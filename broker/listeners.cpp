#include "broker/listeners.hpp"

#include "acl/certificate.hpp"
#include "acl/device_id.hpp"
#include "acl/psk.hpp"
#include "broker/config/limits.hpp"
#include "broker/config/value.hpp"
#include "broker/read_file.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <openssl/crypto.h>

namespace airmail {
namespace {

/// The keys of a listener with psk_hint; null without. False with `why` when the file must not be used.
bool load_keys(config::listener const& l, std::shared_ptr<acl::psk_file const>& out, std::string& why) {
    if (!l.psk()) return true;
    std::string const path(l.text("psk_file"));
    auto text = read_file(path, why);
    if (!text) return why = fmt::format("psk_file {} ({}): {}", path, l.where("psk_file"), why), false;
    std::vector<acl::complaint> complaints;
    auto made = acl::psk_file::parse(*text, complaints);
    OPENSSL_cleanse(text->data(), text->size());
    for (auto const& c : complaints) return why = fmt::format("{}:{}: {}", path, c.line, c.text), false;
    out = std::make_shared<acl::psk_file const>(std::move(made));
    return true;
}

template <class To, class From> To narrow(From v) { return static_cast<To>(std::min<std::uint64_t>(v, std::numeric_limits<To>::max())); }

std::shared_ptr<handlers::listener_rules const> rules_of(config::listener const& l, config::limits const& m) {
    handlers::listener_rules r;
    r.name = l.name();
    r.port = l.port;
    r.asks_passwords = !l.text("password_file").empty();
    r.allow_empty_client_id = l.flag("allow_zero_length_clientid");
    r.username_is_client_id = l.flag("use_username_as_clientid");
    r.client_id_prefix = l.text("clientid_prefixes");
    if (!l.device()) r.auto_id_prefix = l.text(l.written("listener_auto_id_prefix") ? "listener_auto_id_prefix" : "auto_id_prefix");
    if (auto const v = l.text("accept_protocol_versions"); !v.empty()) r.versions = config::protocol_versions(v).value_or(0);
    r.payload_max = m.payload;
    r.device = l.device();
    r.allow_anonymous = l.allow_anonymous();
    // persistence false, written: memory only (DECISIONS). Nothing waits for a store that keeps nothing.
    bool const forgets = l.where("persistence") != "default" && !l.flag("persistence");
    r.durable = l.text("store_durability") != "memory" && !forgets;
    r.packet_bytes_max = m.packet;
    r.packet_bytes_max_before_login = m.packet_before_login;
    r.keep_alive_max = m.keepalive_s;
    r.refuse_v3_keep_alive = m.refuse_v3_keepalive;
    r.receive_maximum_in = m.receive_maximum_in;
    r.receive_maximum_out = m.receive_maximum_out;
    r.topic_alias_in = m.topic_alias_in;
    r.topic_alias_out = m.topic_alias_out;
    r.topic_bytes_max = narrow<std::uint16_t>(m.topic_length);
    r.topic_levels_max = narrow<std::uint16_t>(m.topic_levels);
    r.filters_max = m.filters;
    r.sessions_per_identity_max = m.sessions_per_identity;
    r.queue_messages_max = m.queue_messages;
    r.queue_bytes_max = narrow<std::uint32_t>(m.queue_bytes);
    r.session_expiry_max = m.session_expiry_s;
    r.user_properties_max = narrow<std::uint16_t>(m.user_properties);
    r.user_property_bytes_max = m.user_properties_bytes;
    r.will_payload_max = m.will_payload;
    r.will_delay_max = m.will_delay_s;
    r.retained_payload_max = m.retained_payload;
    r.retained_per_identity_max = m.retained_per_identity;
    r.maximum_qos = m.maximum_qos;
    r.retain_available = m.retain_available;
    r.mount_point = l.text("mount_point");
    r.in_flight_bytes_max = m.in_flight_bytes;
    r.queue_qos0 = m.queue_qos0;
    r.connection_messages = l.flag("connection_messages");
    r.username_is_identity = l.device() || l.flag("use_identity_as_username") || l.flag("use_subject_as_username");
    r.payload_format_check = l.flag("airmail_payload_format_check");
    r.each_copy = l.text("airmail_overlapping") == "each";
    r.server_reference = l.text("airmail_server_reference");
    r.retry_after_s = static_cast<std::uint32_t>(l.duration("airmail_retry_after").count() / 1000);
    r.response_information = l.text("airmail_response_information");
    r.publish_rate = m.publish_rate;
    r.publish_burst = m.publish_burst;
    r.publish_bytes_s = narrow<std::uint32_t>(m.publish_bytes_rate);
    r.output_pause_bytes = m.output_pause;
    r.output_cut_bytes = m.output_cut;
    return std::make_shared<handlers::listener_rules const>(std::move(r));
}

/// Null when nobody is to be asked about client certificates.
net::ocsp_rules_ptr ocsp_of(config::listener const& l, bool staple = false) {
    auto r = std::make_shared<net::ocsp_rules>();
    auto const policy = l.text("tls_ocsp");
    r->policy = policy == "hard" ? net::ocsp_policy::hard : policy == "soft" ? net::ocsp_policy::soft : net::ocsp_policy::off;
    r->responder = l.text("tls_ocsp_responder");
    if (!r->responder.empty() && !acl::ocsp_address(r->responder))
        throw startup_error(78, fmt::format("listener {}: tls_ocsp_responder ({}): \"{}\" is not http://HOST[:PORT][/PATH]", l.name(), l.where("tls_ocsp_responder"), r->responder));
    r->timeout = std::max(std::chrono::seconds(1), std::chrono::ceil<std::chrono::seconds>(l.duration("tls_ocsp_timeout")));
    r->refresh = std::max(std::chrono::milliseconds(1000), l.duration("tls_ocsp_refresh"));
    if (r->policy == net::ocsp_policy::off) return staple ? r : nullptr;
    if (!l.tls() || l.psk()) throw startup_error(78, fmt::format("listener {}: tls_ocsp ({}) needs client certificates: certfile, keyfile and cafile", l.name(), l.where("tls_ocsp")));
    return r;
}

net::tls_settings tls_of(config::listener const& l, std::shared_ptr<acl::psk_file const> keys) {
    net::tls_settings t;
    t.certificate_file = l.text("certfile");
    t.key_file = l.text("keyfile");
    t.ca_file = l.text("cafile");
    t.ca_path = l.text("capath");
    t.crl_file = l.text("crlfile");
    t.require_certificate = l.device() || l.flag("require_certificate");
    t.request_certificate = t.require_certificate;
    t.strict_files = l.device();
    if (l.psk()) t.psk = std::move(keys), t.psk_hint = l.text("psk_hint");
    if (auto const v = l.text("tls_version"); v == "tlsv1.2") t.version_min = TLS1_2_VERSION;
    if (auto const c = l.text("ciphers"); !c.empty()) t.ciphers = c;
    if (auto const c = l.text("ciphers_tls1.3"); !c.empty()) t.ciphersuites = c;
    t.check_dates = !l.flag("disable_client_cert_date_checks");
    t.tickets = static_cast<unsigned>(l.number("tls_tickets"));
    t.strip = l.flag("tls_strip");
    t.keep_issuer = l.text("tls_ocsp") != "off";
    t.staple = l.flag("tls_stapling");
    t.responder = l.text("tls_ocsp_responder");
    return t;
}

/// Device listeners read the one configured field; Mosquitto's two options read the common name or the whole subject.
net::identity_reader reader_of(config::listener const& l) {
    if (!l.device()) {
        bool const subject = l.flag("use_subject_as_username");
        if (!subject && !l.flag("use_identity_as_username")) return {};
        return [subject](X509 const* c, acl::identity& out, std::string& why) {
            auto name = subject ? acl::subject_name(c) : acl::common_name(c);
            if (!name) return why = name.error().message(), false;
            out.name = std::move(*name);
            out.how = acl::proof::certificate;
            acl::remember_certificate(c, out);
            return true;
        };
    }
    acl::certificate_source from;
    acl::parse(l.text("device_identity"), from.field);
    from.uri_prefix = std::string(l.text("device_uri_prefix"));
    return [from](X509 const* c, acl::identity& out, std::string& why) {
        auto who = acl::identify(c, from);
        if (!who) return why = who.error().message(), false;
        out = std::move(*who);
        return true;
    };
}

/// Who it is when a proxy did the TLS: the common name, under the rules that hold for certificates of this listener.
net::common_name_reader common_name_reader_of(config::listener const& l) {
    if (!l.device() && !l.flag("use_identity_as_username")) return {};
    return [device = l.device()](std::string_view name, acl::identity& out, std::string& why) {
        bool const good = device ? acl::valid_device_id(name) : acl::valid_common_name(name);
        if (!good) return why = name.empty() ? "the proxy told no common name" : "the common name that the proxy told is not an identity", false;
        out.name = name;
        if (device) out.role = "device";
        out.how = acl::proof::certificate;
        return true;
    };
}

std::shared_ptr<net::proxy_rules const> proxy_of(config::listener const& l) {
    auto const version = l.number("enable_proxy_protocol");
    if (version == 0) return nullptr;
    auto r = std::make_shared<net::proxy_rules>();
    r->version = static_cast<unsigned>(version);
    r->require_tls = l.flag("proxy_protocol_v2_require_tls");
    for (auto const& text : l.list("airmail_proxy_from")) {
        auto range = net::address_range::parse(text);
        if (!range) throw startup_error(78, fmt::format("listener {}: airmail_proxy_from ({}): \"{}\" is no address, no range such as 10.0.0.0/8, and not unix", l.name(), l.where("airmail_proxy_from"), text));
        r->from.push_back(*range);
    }
    r->everybody = r->from.empty();
    return r;
}

std::shared_ptr<net::websocket_rules const> websocket_of(config::listener const& l) {
    if (l.protocol() != "websockets") return nullptr;
    auto r = std::make_shared<net::websocket_rules>();
    r->path = l.text("http_websocket_path");
    r->origins = l.list("websockets_origin");
    // Mosquitto lets every page in until a line says otherwise; a device is no page.
    r->any_origin = r->origins.empty() && !l.device();
    r->header_bytes_max = narrow<std::uint32_t>(l.size("limit_http_header"));
    r->message_bytes_max = l.size("limit_websocket_message");
    return r;
}

void fill(config::listener const& l, net::origin& o) {
    auto const m = config::limits_of(l);
    o.rules = rules_of(l, m);
    o.limits.connect_timeout = m.connect_timeout.count();
    o.limits.handshake_timeout = m.handshake_timeout.count();
    o.limits.stalled_writer = m.stalled_writer.count();
    o.limits.handshakes = m.handshakes;
    o.limits.connections = m.connections;
    o.limits.flapping = {m.client_logins, 60'000, m.client_backoff.count(), m.client_backoff_max.count()};
    o.socket.no_delay = l.flag("set_tcp_nodelay");
    o.socket.keepalive = std::chrono::duration_cast<std::chrono::seconds>(l.duration("limit_tcp_keepalive"));
    o.socket.user_timeout = l.duration("limit_tcp_user_timeout");
    o.read_identity = reader_of(l);
    o.ocsp = l.tls() ? ocsp_of(l) : nullptr;
    o.proxy = proxy_of(l);
    o.read_common_name = common_name_reader_of(l);
    o.websocket = websocket_of(l);
}

}

net::listener_options listener_options_of(config::listener const& l) {
    net::listener_options o;
    o.port = l.port;
    o.unix_path = l.unix_path;
    if (auto const mode = l.text("airmail_unix_mode"); !mode.empty()) o.unix_mode = static_cast<unsigned>(std::strtoul(std::string(mode).c_str(), nullptr, 8));
    o.device = l.text("bind_interface");
    if (auto const d = l.text("socket_domain"); !d.empty()) o.only = d == "ipv4" ? net::listener_options::family::ipv4 : net::listener_options::family::ipv6;
    o.backlog = static_cast<int>(std::clamp<std::int64_t>(l.number("limit_tcp_backlog"), 1, 65535));
    fill(l, o.from);
    if (l.tls()) {
        std::shared_ptr<acl::psk_file const> keys;
        std::string why;
        if (!load_keys(l, keys, why)) throw startup_error(78, why);
        auto made = net::tls::make(tls_of(l, std::move(keys)));
        if (!made) throw startup_error(78, fmt::format("listener {}: {}", l.name(), made.error().text));
        o.from.security = *made;
    } else if (l.device() && !o.from.proxy) {
        throw startup_error(78, fmt::format("listener {}: a device listener needs certfile, keyfile and cafile", l.name()));
    }
    return o;
}

net::ocsp_rules_ptr stapling_of(config::listener const& l) { return l.tls() && l.flag("tls_stapling") ? ocsp_of(l, true) : nullptr; }

bool reload_origin(config::listener const& l, net::origin const& running, net::origin& fresh, std::string& why) {
    fresh = running;
    try {
        fill(l, fresh);
    } catch (startup_error const& e) {
        return why = std::string{e.what()} + " (the running settings are kept)", false;
    }
    if (!running.security) return true;
    std::shared_ptr<acl::psk_file const> keys;
    if (!load_keys(l, keys, why)) return why += " (the running keys are kept)", false;
    auto done = running.security->reload(tls_of(l, std::move(keys)));
    if (!done) why = fmt::format("listener {}: {} (the running certificates are kept)", l.name(), done.error().text);
    return done.has_value();
}

std::shared_ptr<net::tls> https_tls(config::config const& c) {
    net::tls_settings t;
    t.certificate_file = c.text("http_certfile");
    t.key_file = c.text("http_keyfile");
    t.ca_file = c.text("http_cafile"), t.crl_file = c.text("http_crlfile");
    t.request_certificate = !t.ca_file.empty(), t.require_certificate = false;
    t.strict_files = false;
    t.version_min = TLS1_2_VERSION;  // curl, browsers and small download stacks come here too
    auto made = net::tls::make(std::move(t));
    if (!made) throw startup_error(78, fmt::format("http_certfile ({}): {}", c.where("http_certfile"), made.error().text));
    return *made;
}

net::admission_limits admission_of(config::config const& c) {
    net::admission_limits a;
    if (auto const most = c.number("global_max_connections"); most >= 0) a.connections = std::max(narrow<std::uint32_t>(most), 1U);
    a.connections_per_address = static_cast<std::uint32_t>(c.number("limit_connections_per_address"));
    a.unauthenticated = static_cast<std::uint32_t>(c.number("limit_unauthenticated_connections"));
    a.rate = static_cast<std::uint32_t>(c.number("limit_accept_rate"));
    a.burst = static_cast<std::uint32_t>(c.number("limit_accept_burst"));
    return a;
}

net::front_door_limits front_door_of(config::config const& c) {
    net::front_door_limits f;
    f.login = {static_cast<std::uint32_t>(c.number("limit_login_failures")), 60'000, c.duration("limit_login_backoff").count(), c.duration("limit_login_backoff_max").count()};
    f.address_rate = static_cast<std::uint32_t>(c.number("limit_accept_rate_per_address"));
    f.address_burst = static_cast<std::uint32_t>(c.number("limit_accept_burst_per_address"));
    return f;
}

net::memory_limits memory_of(config::config const& c) {
    return {c.size("memory_limit"), static_cast<unsigned>(c.percent("limit_memory_refuse")), static_cast<unsigned>(c.percent("limit_memory_shed"))};
}

}
