// What no single line shows: a listener that lacks something, or that is open to everybody.

#include "broker/config/check.hpp"

#include "broker/config/parser.hpp"
#include "broker/config/value.hpp"

#include <cerrno>
#include <cstring>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail::config {
namespace {

struct speaker {
    listener const& l;
    std::vector<finding>& out;

    void say(finding::grade g, std::string text) const {
        auto const at = l.settings().find("listener");
        finding f{g, "", 0, "listener " + l.name() + ": " + std::move(text)};
        if (at != l.settings().end()) f.file = at->second.file, f.line = at->second.line;
        out.push_back(std::move(f));
    }
    void error(std::string text) const { say(finding::grade::error, std::move(text)); }
    void warn(std::string text) const { say(finding::grade::warning, std::move(text)); }
};

bool loopback(listener const& l) {
    return l.local_only || !l.unix_path.empty() || l.address == "localhost" || l.address == "::1" || l.address.starts_with("127.");
}

void check_tls(listener const& l, speaker const& s) {
    bool const cert = !l.text("certfile").empty(), key = !l.text("keyfile").empty();
    bool const ca = !l.text("cafile").empty() || !l.text("capath").empty();
    if (l.psk() && (cert || key)) s.error("psk_hint and certfile exclude each other: a listener has keys or certificates");
    if (l.psk() && l.text("psk_file").empty()) s.error("psk_hint needs psk_file");
    if (!l.psk() && l.written("psk_file")) s.error("psk_file without psk_hint: the listener would be open to those without a key");
    if (auto const v = l.text("accept_protocol_versions"); !v.empty() && !protocol_versions(v)) s.error("accept_protocol_versions: expected some of 3, 4 and 5 with commas between, got \"" + std::string{v.substr(0, 64)} + '"');
    if (l.flag("disable_client_cert_date_checks") && l.device()) s.error("disable_client_cert_date_checks true is not for device listeners: a certificate that has ended would open the door for ever");
    else if (l.flag("disable_client_cert_date_checks")) s.warn("disable_client_cert_date_checks true: clients come in with certificates that have expired");
    if (cert != key) s.error(cert ? "certfile without keyfile" : "keyfile without certfile");
    if (l.text("protocol") == "websockets" && l.flag("require_certificate") && cert && l.list("websockets_origin").empty() && !l.device())
        s.warn("websockets_origin is not set: any page a browser shows may connect with the user's certificate");
    if (l.flag("require_certificate") && cert && !ca) s.error("require_certificate needs cafile or capath");
    if (!l.device() && l.flag("require_certificate") && !cert) s.error("require_certificate needs certfile and keyfile");
    if (l.text("protocol") == "http_api") s.error("protocol http_api is Mosquitto's; Airmail's own is set by http_*");
    auto const version = l.text("tls_version");
    if (version == "tlsv1" || version == "tlsv1.1") s.error("tls_version " + std::string{version} + " is too weak to be offered; tlsv1.2 is the lowest");
    if (cert && l.device() && version == "tlsv1.2") s.warn("tls_version tlsv1.2: devices may connect with less than TLS 1.3");
}

void check_mount(listener const& l, speaker const& s) {
    auto const mount = l.text("mount_point");
    if (mount.empty()) return;
    if (l.device()) return s.error("mount_point has no place on a device listener: devices are known by their topics devices/{id}/...");
    if (mount.find_first_of("+#") != mount.npos) s.error("mount_point: expected the beginning of topics, without + and #, got \"" + std::string{mount.substr(0, 64)} + '"');
    else if (mount.starts_with('$')) s.error("mount_point must not begin with $: those topics are the broker's");
    else if (mount.size() > 1024) s.error("mount_point is longer than 1024 bytes");
    else if (!mount.ends_with('/')) s.warn("mount_point does not end with /: a client's topic a becomes " + std::string{mount.substr(0, 64)} + "a, and its filters # and +/... are refused");
}

/// A proxy does the TLS, says so, and is known.
bool behind_proxy(listener const& l) { return l.number("enable_proxy_protocol") == 2 && !l.list("airmail_proxy_from").empty(); }

void check_proxy(listener const& l, speaker const& s) {
    auto const version = l.number("enable_proxy_protocol");
    if (version == 0 && l.flag("proxy_protocol_v2_require_tls")) s.error("proxy_protocol_v2_require_tls needs enable_proxy_protocol 2");
    if (version == 1 && l.flag("proxy_protocol_v2_require_tls")) s.error("proxy_protocol_v2_require_tls: version 1 of the PROXY protocol does not tell; write enable_proxy_protocol 2");
    if (version == 0 || !l.list("airmail_proxy_from").empty()) return;
    if (l.device()) s.error("enable_proxy_protocol needs airmail_proxy_from on a device listener: who may speak for others");
    else if (!loopback(l)) s.warn("enable_proxy_protocol without airmail_proxy_from: whoever reaches the port may claim any address");
}

void check_socket(listener const& l, speaker const& s) {
    if (l.unix_path.empty()) return;
    auto const mode = l.text("airmail_unix_mode");
    bool const octal = !mode.empty() && mode.size() <= 4 && mode.find_first_not_of("01234567") == mode.npos;
    if (!octal) s.error("airmail_unix_mode: expected an octal mode such as 0660, got \"" + std::string{mode} + '"');
    if (!l.text("bind_interface").empty()) s.error("bind_interface has no meaning for a unix socket");
}

void check_device(listener const& l, speaker const& s) {
    if (behind_proxy(l) && l.text("certfile").empty()) {
        if (!l.flag("proxy_protocol_v2_require_tls")) s.error("device_listener behind a proxy needs proxy_protocol_v2_require_tls true");
        if (l.text("device_identity") != "cn") s.error("device_listener behind a proxy needs device_identity cn: the PROXY protocol tells no other name");
        if (l.allow_anonymous()) s.error("device_listener: allow_anonymous cannot be true");
        return;
    }
    if (l.text("certfile").empty()) s.error("device_listener needs certfile and keyfile");
    if (l.text("cafile").empty() && l.text("capath").empty()) s.error("device_listener needs cafile or capath");
    if (!l.flag("require_certificate")) s.error("device_listener: require_certificate cannot be false");
    if (l.allow_anonymous()) s.error("device_listener: allow_anonymous cannot be true");
    if (l.flag("use_identity_as_username") || l.flag("use_subject_as_username"))
        s.warn("use_identity_as_username and use_subject_as_username have no effect here: device_identity names the device");
}

void check_risks(listener const& l, speaker const& s) {
    if (loopback(l)) return;
    if (!l.tls()) s.warn("plain text on a network: names, passwords and payloads can be read on the way");
    if (l.allow_anonymous()) s.warn("allow_anonymous true: anybody who reaches the port is let in");
    if (l.text("acl_mode") == "observe" && !l.text("acl_file").empty()) s.warn("acl_mode observe: the acl_file denies NOTHING; what it would deny is logged and counted");
    if (l.text("acl_file").empty()) s.warn("no acl_file: whoever is let in may publish and subscribe to everything");
}

}

void check_listener(listener const& l, std::vector<finding>& out) {
    speaker const s{l, out};
    check_tls(l, s);
    check_mount(l, s);
    check_proxy(l, s);
    check_socket(l, s);
    if (l.device()) check_device(l, s);
    else check_risks(l, s);
}

/// Configuration is printed, dumped and copied: it is no place for a password. The value is not repeated here.
void check_secrets(section const& c, std::vector<finding>& out) {
    for (auto const name : {"replicate_postgres", "replicate_redis", "replicate_reads_postgres"}) {
        std::string_view const v = c.text(name);
        auto const at = v.find("@"), slashes = v.find("://");
        bool const in_url = slashes != v.npos && at != v.npos && v.substr(slashes + 3, at - slashes - 3).find(':') != v.npos;
        if (v.find("password") != v.npos || in_url)
            out.push_back({finding::grade::error, "", 0, std::string{name} + " must not hold the password (" + c.where(name) + "): write " + (std::string_view{name} == "replicate_reads_postgres" ? "replicate_postgres" : name) + "_password file:/path, credential:NAME, env:NAME or exec:/program"});
    }
    for (auto const name : {"replicate_postgres_password", "replicate_redis_password"}) {
        std::string_view const v = c.text(name);
        bool known = v.empty();
        for (std::string_view const form : {"file:/", "credential:", "env:", "exec:/"}) known |= v.substr(0, form.size()) == form;
        if (!known) out.push_back({finding::grade::error, "", 0, std::string{name} + " (" + c.where(name) + ") must name where the secret is: file:/path, credential:NAME, env:NAME or exec:/program"});
    }
}

void check_overlap(std::vector<listener> const& all, std::vector<finding>& out) {
    std::set<std::string> seen;
    for (auto const& l : all)
        if (!seen.insert(l.name()).second) speaker{l, out}.error("is configured twice");
}

namespace {

/// A secret that others can read is no secret: refused on device listeners, warned about on Mosquitto's.
void check_file(listener const& l, std::string_view name, bool secret, std::vector<finding>& out) {
    std::string const path{l.text(name)};
    if (path.empty()) return;
    speaker const s{l, out};
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 || ::access(path.c_str(), R_OK) != 0)
        return s.error(std::string{name} + ' ' + path + ": " + std::strerror(errno) + " (set at " + l.where(name) + ')');
    if (!secret || (info.st_mode & 07) == 0) return;
    s.say(l.device() ? finding::grade::error : finding::grade::warning, std::string{name} + ' ' + path + " can be read by everybody; chmod o-rwx");
}

}

std::vector<finding> check_files(config const& c) {
    std::vector<finding> out;
    for (auto const& l : c.listeners()) {
        for (auto const name : {"cafile", "capath", "certfile", "crlfile", "acl_file"}) check_file(l, name, false, out);
        for (auto const name : {"keyfile", "password_file", "psk_file"}) check_file(l, name, true, out);
    }
    if (c.flag("strict"))
        for (auto& f : out) f.weight = finding::grade::error;
    return out;
}

}
