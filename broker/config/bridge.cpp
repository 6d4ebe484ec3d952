#include "broker/config/bridge.hpp"

#include "broker/config/value.hpp"

#include <charconv>
#include <map>

namespace airmail::config {
namespace {

std::vector<std::string_view> words(std::string_view s, std::string_view between = " \t") {
    std::vector<std::string_view> out;
    while (true) {
        auto const begin = s.find_first_not_of(between);
        if (begin == s.npos) return out;
        s.remove_prefix(begin);
        auto const end = s.find_first_of(between);
        out.push_back(s.substr(0, end));
        if (end == s.npos) return out;
        s.remove_prefix(end);
    }
}

template <class N> bool number(std::string_view s, N least, N most, N& out) {
    N n{};
    auto const [end, ec] = std::from_chars(s.data(), s.data() + s.size(), n);
    if (ec != std::errc{} || end != s.data() + s.size() || s.empty() || n < least || n > most) return false;
    out = n;
    return true;
}

std::string seconds(std::string_view s, long least, std::chrono::seconds& out) {
    long n = 0;
    if (!number<long>(s, least, 65535, n)) return "a number of seconds from " + std::to_string(least) + " to 65535";
    out = std::chrono::seconds{n};
    return {};
}

/// A host, perhaps with its port; "[::1]:1883" too. After a # nothing counts (Mosquitto's one comment inside of a line).
std::string read_addresses(std::string_view s, std::vector<bridge_address>& out) {
    out.clear();
    for (auto w : words(s)) {
        if (w.starts_with('#')) break;
        bridge_address a;
        auto const close = w.starts_with('[') ? w.find(']') : w.npos;
        auto const colon = close != w.npos ? (w.size() > close + 1 && w[close + 1] == ':' ? close + 1 : w.npos) : w.find(':') == w.rfind(':') ? w.find(':') : w.npos;
        if (colon != w.npos && !number<std::uint16_t>(w.substr(colon + 1), 1, 65535, a.port)) return "HOST[:PORT] with a port from 1 to 65535";
        a.host = close != w.npos ? w.substr(1, close - 1) : w.substr(0, colon);
        if (a.host.empty()) return "HOST[:PORT], several with blanks between";
        out.push_back(std::move(a));
    }
    return out.empty() ? "HOST[:PORT], several with blanks between" : "";
}

bool filter(std::string_view s) {
    for (std::size_t i = 0; i < s.size(); ++i) {
        bool const wild = s[i] == '+' || s[i] == '#';
        bool const begins = i == 0 || s[i - 1] == '/', ends = i + 1 == s.size() || s[i + 1] == '/';
        if (wild && (!begins || !ends)) return false;
        if (s[i] == '#' && i + 1 != s.size()) return false;
    }
    return !s.empty() && s.size() <= 65535;
}

std::string read_topic(std::string_view s, std::vector<bridge_topic>& out) {
    auto const w = words(s);
    auto const text = [&](std::size_t i) { return i < w.size() && w[i] != "\"\"" ? std::string{w[i]} : std::string{}; };
    if (w.empty() || w.size() > 5) return "PATTERN [out|in|both] [QOS] [LOCAL PREFIX] [REMOTE PREFIX]";
    bridge_topic t;
    if (w.size() > 1) {
        if (w[1] != "in" && w[1] != "out" && w[1] != "both") return "out, in or both after the pattern";
        t.in = w[1] != "out", t.out = w[1] != "in";
    }
    if (w.size() > 2 && !number<std::uint8_t>(w[2], 0, 2, t.qos)) return "a QoS of 0, 1 or 2 after the direction";
    auto const pattern = text(0);
    t.local_prefix = text(3), t.remote_prefix = text(4);
    t.single = pattern.empty();
    if (t.single && (t.local_prefix.empty() || t.remote_prefix.empty())) return "two prefixes with the pattern \"\": they are the one topic that is mapped";
    if (t.local_prefix.find_first_of("+#") != std::string::npos || t.remote_prefix.find_first_of("+#") != std::string::npos) return "prefixes without + and #";
    t.local = t.local_prefix + pattern, t.remote = t.remote_prefix + pattern;
    if (!filter(t.local) || !filter(t.remote)) return "a pattern that is a topic filter";
    out.push_back(std::move(t));
    return {};
}

std::string read_restart(std::string_view s, bridge& b) {
    auto const w = words(s);
    long base = 0, cap = 0, stable = 0;
    if (w.empty() || w.size() > 3 || !number<long>(w[0], 1, 86400, base)) return "BASE [CAP [STABLE]], seconds";
    cap = base;   // one number: a constant wait
    if (w.size() > 1 && (!number<long>(w[1], 1, 86400, cap) || cap < base)) return "a CAP of seconds not below BASE";
    if (w.size() > 2 && !number<long>(w[2], 0, 86400, stable)) return "a STABLE time of seconds";
    b.restart_base = std::chrono::seconds{base}, b.restart_cap = std::chrono::seconds{cap}, b.restart_stable = std::chrono::seconds{stable};
    return {};
}

std::string read_flag(std::string_view s, bool& out) {
    auto const f = to_flag(s);
    if (!f) return "true or false";
    out = *f;
    return {};
}

std::string take(std::string_view s, std::string& out) {
    if (s.empty()) return "a value";
    out = s;
    return {};
}

using reader = std::string (*)(bridge&, std::string_view);

std::string read_keepalive(std::string_view s, bridge& b) {
    auto const w = words(s);
    if (w.size() != 3 || !number<int>(w[0], 1, 32767, b.tcp_keepalive_idle) || !number<int>(w[1], 1, 32767, b.tcp_keepalive_interval) || !number<int>(w[2], 1, 127, b.tcp_keepalive_count))
        return "IDLE INTERVAL COUNT, positive numbers";
    return {};
}

/// A line Mosquitto knows that changes nothing here.
std::string nothing(bridge&, std::string_view) { return {}; }

std::map<std::string_view, reader> const& readers() {
    static std::map<std::string_view, reader> const all = {
        {"address", [](bridge& b, std::string_view s) { return read_addresses(s, b.addresses); }},
        {"topic", [](bridge& b, std::string_view s) { return read_topic(s, b.topics); }},
        {"remote_clientid", [](bridge& b, std::string_view s) { return take(s, b.remote_client_id); }},
        {"remote_username", [](bridge& b, std::string_view s) { return take(s, b.remote_user); }},
        {"remote_password", [](bridge& b, std::string_view s) { return b.has_remote_password = true, take(s, b.remote_password); }},
        {"local_clientid", [](bridge& b, std::string_view s) { return take(s, b.local_client_id); }},
        {"local_username", [](bridge& b, std::string_view s) { return take(s, b.local_user); }},
        {"local_password", nothing},   // the local end is inside of the broker: it asks nobody
        {"cleansession", [](bridge& b, std::string_view s) { return read_flag(s, b.clean_session); }},
        {"local_cleansession", [](bridge& b, std::string_view s) { return read_flag(s, b.local_clean_session.emplace(false)); }},
        {"keepalive_interval", [](bridge& b, std::string_view s) { return seconds(s, 5, b.keep_alive); }},
        {"restart_timeout", [](bridge& b, std::string_view s) { return read_restart(s, b); }},
        {"round_robin", [](bridge& b, std::string_view s) { return read_flag(s, b.round_robin); }},
        {"notifications", [](bridge& b, std::string_view s) { return read_flag(s, b.notifications); }},
        {"notifications_local_only", [](bridge& b, std::string_view s) { return read_flag(s, b.notifications_local_only); }},
        {"notification_topic", [](bridge& b, std::string_view s) { return take(s, b.notification_topic); }},
        {"try_private", [](bridge& b, std::string_view s) { return read_flag(s, b.try_private); }},
        {"threshold", [](bridge& b, std::string_view s) { return number<std::uint32_t>(s, 1, 1'000'000, b.threshold) ? std::string{} : "a number of messages from 1"; }},
        {"idle_timeout", [](bridge& b, std::string_view s) { return seconds(s, 1, b.idle_timeout); }},
        {"start_type", [](bridge& b, std::string_view s) -> std::string {
             if (s != "automatic" && s != "lazy" && s != "once") return "automatic, lazy or once";
             b.starts = s == "lazy" ? bridge::start::lazy : s == "once" ? bridge::start::once : bridge::start::automatic;
             return {};
         }},
        {"bridge_protocol_version", [](bridge& b, std::string_view s) -> std::string {
             if (s != "mqttv31" && s != "mqttv311" && s != "mqttv50") return "mqttv31, mqttv311 or mqttv50";
             b.protocol = s == "mqttv31" ? 3 : s == "mqttv50" ? 5 : 4;
             return {};
         }},
        {"bridge_attempt_unsubscribe", [](bridge& b, std::string_view s) { return read_flag(s, b.attempt_unsubscribe); }},
        {"bridge_outgoing_retain", [](bridge& b, std::string_view s) { return read_flag(s, b.outgoing_retain); }},
        {"bridge_max_packet_size", [](bridge& b, std::string_view s) { return number<std::uint32_t>(s, 0, 268'435'460, b.maximum_packet_size) ? std::string{} : "a number of bytes"; }},
        {"bridge_receive_maximum", [](bridge& b, std::string_view s) { return number<std::uint16_t>(s, 1, 65535, b.receive_maximum) ? std::string{} : "a number from 1 to 65535"; }},
        {"bridge_session_expiry_interval", [](bridge& b, std::string_view s) { return number<std::uint32_t>(s, 0, UINT32_MAX, b.session_expiry) ? std::string{} : "a number of seconds"; }},
        {"bridge_max_topic_alias", nothing},   // how many the other side may use: none is always good
        {"bridge_bind_address", [](bridge& b, std::string_view s) { return take(s, b.bind_address); }},
        {"bridge_cafile", [](bridge& b, std::string_view s) { return take(s, b.ca_file); }},
        {"bridge_capath", [](bridge& b, std::string_view s) { return take(s, b.ca_path); }},
        {"bridge_certfile", [](bridge& b, std::string_view s) { return take(s, b.certificate_file); }},
        {"bridge_keyfile", [](bridge& b, std::string_view s) { return take(s, b.key_file); }},
        {"bridge_insecure", [](bridge& b, std::string_view s) { return read_flag(s, b.insecure); }},
        {"bridge_tls_use_os_certs", [](bridge& b, std::string_view s) { return read_flag(s, b.use_os_certs); }},
        {"bridge_tls_version", [](bridge& b, std::string_view s) -> std::string {
             if (s != "tlsv1.2" && s != "tlsv1.3") return "tlsv1.2 or tlsv1.3; what is older is too weak";
             return b.tls_version = s, std::string{};
         }},
        {"bridge_alpn", [](bridge& b, std::string_view s) { return s.size() > 255 ? std::string{"a name of at most 255 bytes"} : take(s, b.alpn); }},
        {"bridge_ciphers", [](bridge& b, std::string_view s) { return take(s, b.ciphers); }},
        {"bridge_ciphers_tls1.3", [](bridge& b, std::string_view s) { return take(s, b.ciphers_tls13); }},
        {"bridge_identity", [](bridge& b, std::string_view s) { return take(s, b.psk_identity); }},
        {"bridge_psk", [](bridge& b, std::string_view s) -> std::string {
             if (s.empty() || s.size() % 2 || s.size() > 512 || s.find_first_not_of("0123456789abcdefABCDEF") != s.npos) return "a key in hexadecimal (not shown here)";
             return b.psk = s, std::string{};
         }},
        {"bridge_require_ocsp", [](bridge&, std::string_view s) -> std::string {
             auto const f = to_flag(s);
             if (!f) return "true or false";
             return *f ? "false: Airmail does not ask for a stapled OCSP answer yet, and going on without would be less safe than you ask for" : "";
         }},
        {"bridge_reload_type", [](bridge& b, std::string_view s) -> std::string {
             if (s != "lazy" && s != "immediate") return "lazy or immediate";
             return b.reload_immediate = s == "immediate", std::string{};
         }},
        {"bridge_tcp_keepalive", [](bridge& b, std::string_view s) { return read_keepalive(s, b); }},
        {"bridge_tcp_user_timeout", [](bridge& b, std::string_view s) { return number<int>(s, 0, INT32_MAX, b.tcp_user_timeout_ms) ? std::string{} : "a number of milliseconds"; }},
    };
    return all;
}

}

std::string bridge::set(std::string_view key, std::string_view value) {
    written.append(key).append(" ").append(value).append("\n");
    auto const at = readers().find(key);
    return at == readers().end() ? "a line of a bridge" : at->second(*this, value);
}

std::string bridge::missing() const {
    if (addresses.empty()) return "has no address";
    if (topics.empty()) return "has no topic: it would carry nothing";
    if (certificate_file.empty() != key_file.empty()) return "needs bridge_certfile and bridge_keyfile together";
    if (!certificate_file.empty() && !tls()) return "has bridge_certfile but no bridge_cafile, bridge_capath or bridge_tls_use_os_certs: whom should it trust?";
    if (psk.empty() != psk_identity.empty()) return "needs bridge_identity and bridge_psk together";
    if (!psk.empty() && (!ca_file.empty() || !ca_path.empty() || !certificate_file.empty())) return "has certificates and a pre-shared key: one of them";
    if (has_remote_password && remote_user.empty() && protocol < 5) return "has a remote_password but no remote_username";
    return {};
}

}
