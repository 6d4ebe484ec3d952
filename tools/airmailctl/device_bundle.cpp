#include "tools/airmailctl/device_bundle.hpp"

#include "storage/firmware/files.hpp"
#include "storage/firmware/ids.hpp"
#include "tools/airmailctl/x509.hpp"

#include <charconv>

namespace airmail::ctl {

namespace files = storage::firmware;

namespace {

[[noreturn]] void refuse(std::string const& why) { throw failure(exit_code::refused, "device bundle: " + why); }

// The value of a "Name: value" line outside the PEM blocks.
std::string header(std::string_view text, std::string_view name) {
    for (std::size_t at = 0; at < text.size();) {
        auto end = text.find('\n', at);
        auto line = text.substr(at, end - at);
        if (line.starts_with(name) && line.substr(name.size()).starts_with(": ")) {
            auto v = line.substr(name.size() + 2);
            if (v.ends_with('\r')) v.remove_suffix(1);
            return std::string(v);
        }
        if (end == text.npos) break;
        at = end + 1;
    }
    return {};
}

// The next block of a kind, from `at` on; moves `at` behind it.
std::string block(std::string_view text, std::string_view kind, std::size_t& at) {
    std::string begin = "-----BEGIN " + std::string(kind) + "-----", end = "-----END " + std::string(kind) + "-----";
    auto from = text.find(begin, at);
    auto to = from == text.npos ? from : text.find(end, from);
    if (to == text.npos) refuse("there is no " + std::string(kind));
    at = to + end.size();
    return std::string(text.substr(from, at - from)) + "\n";
}

// "[2001:db8::1]:8883", "host:8883".
bool split_address(std::string_view s, std::string& host, std::uint16_t& port) {
    auto colon = s.rfind(':');
    if (colon == s.npos || colon == 0) return false;
    auto digits = s.substr(colon + 1);
    auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    host = std::string(s.substr(0, colon));
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    return ec == std::errc() && end == digits.data() + digits.size() && port != 0 && !host.empty();
}

}

std::string device_bundle::to_text() const {
    std::string shown = host.find(':') == host.npos ? host : "[" + host + "]";
    std::string out = "Airmail device bundle. It holds a private key: keep it as you would keep a password.\n";
    out += "Airmail-Device: " + id + "\nAirmail-Broker: " + shown + ":" + std::to_string(port) + "\n";
    if (!keys_json.empty()) out += "Airmail-Keys: " + files::to_base64(files::as_bytes(keys_json)) + "\n";
    // The device's certificate before the CA's: readers of a chain take the first for their own.
    return out + key_pem + certificate_pem + ca_pem;
}

device_bundle device_bundle::parse(std::string_view text) {
    device_bundle b;
    b.id = header(text, "Airmail-Device");
    if (!files::is_serial_no(b.id)) refuse("the line Airmail-Device is missing or wrong");
    if (!split_address(header(text, "Airmail-Broker"), b.host, b.port)) refuse("the line Airmail-Broker is missing or wrong");
    if (auto keys = header(text, "Airmail-Keys"); !keys.empty()) {
        auto raw = files::from_base64(keys);
        if (!raw) refuse("the line Airmail-Keys is damaged");
        b.keys_json = std::string(files::as_text(*raw));
    }
    std::size_t at = 0, key_at = 0;
    b.key_pem = block(text, "PRIVATE KEY", key_at);
    b.certificate_pem = block(text, "CERTIFICATE", at);
    b.ca_pem = block(text, "CERTIFICATE", at);
    auto key = key_from_pem(b.key_pem);
    auto own = certificate_from_pem(b.certificate_pem), ca = certificate_from_pem(b.ca_pem);
    if (X509_check_private_key(own.get(), key.get()) != 1) refuse("the key does not belong to the certificate");
    if (X509_verify(own.get(), X509_get0_pubkey(ca.get())) != 1) refuse("the certificate is not of this CA");
    char name[128] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(own.get()), NID_commonName, name, sizeof name);
    if (b.id != name) refuse("the certificate is of " + std::string(name) + ", not of " + b.id);
    return b;
}

void device_bundle::save(std::string const& path) const {
    if (auto done = files::write_new_file(path, to_text(), 0600); !done)
        throw failure(exit_code::failed, path + ": " + done.error().message());
}

device_bundle device_bundle::load(std::string const& path) {
    auto text = files::read_small_file(path, files::secrecy::owner_only);
    if (text) return parse(*text);
    bool missing = text.error() == files::errc::not_found;
    throw failure(missing ? exit_code::not_found : exit_code::refused, path + ": " + text.error().message());
}

device_bundle issue_bundle(certificate_authority& ca, std::string const& ca_directory, std::string const& serial, int days, std::string host, std::uint16_t port) {
    auto const made = ca.issue_device(serial, days);
    device_bundle b;
    b.id = serial, b.host = std::move(host), b.port = port;
    b.key_pem = made.key_pem, b.certificate_pem = made.certificate_pem, b.ca_pem = ca.certificate_pem();
    if (auto keys = files::read_small_file(ca_directory + "/keys/keys.json", files::secrecy::anyone)) b.keys_json = *keys;
    while (b.keys_json.ends_with('\n')) b.keys_json.pop_back();
    return b;
}

}
