#include "storage/firmware/sigv4.hpp"

#include "storage/firmware/digest.hpp"
#include "storage/firmware/files.hpp"

#include <algorithm>
#include <ctime>
#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace airmail::storage::firmware {

namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";

using mac = std::array<std::uint8_t, 32>;

mac hmac(byte_view key, std::string_view text) {
    mac out{};
    unsigned int n = 0;
    HMAC(EVP_sha256(), key.data(), int(key.size()), as_bytes(text).data(), text.size(), out.data(), &n);
    return out;
}

std::string hex_sha256(std::string_view s) { return to_hex(sha256_of(s)); }

/// 20130524T000000Z
std::string amz_date(std::int64_t at) {
    std::time_t const t = static_cast<std::time_t>(at);
    std::tm tm{};
    ::gmtime_r(&t, &tm);
    char text[20];
    std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &tm);
    return text;
}

std::string scope(object_place const& where, std::string_view date) {
    return std::string(date.substr(0, 8)) + "/" + where.region + "/s3/aws4_request";
}

std::string canonical_query(pairs query) {
    for (auto& [name, value] : query) name = uri_encoded(name), value = uri_encoded(value);
    std::sort(query.begin(), query.end());
    std::string out;
    for (auto const& [name, value] : query) (out += out.empty() ? "" : "&") += name + "=" + value;
    return out;
}

std::string signature(object_place const& where, object_keys const& who, std::string_view date, std::string const& canonical_request) {
    auto const own = scope(where, date);
    std::string text(algorithm);
    text.append("\n").append(date).append("\n").append(own).append("\n").append(hex_sha256(canonical_request));
    auto key = hmac(as_bytes("AWS4" + who.secret_key), date.substr(0, 8));
    key = hmac(key, where.region), key = hmac(key, "s3"), key = hmac(key, "aws4_request");
    return to_hex(hmac(key, text));
}

std::string_view trimmed(std::string_view s) {
    auto const blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    while (!s.empty() && blank(s.front())) s.remove_prefix(1);
    while (!s.empty() && blank(s.back())) s.remove_suffix(1);
    return s;
}

}

std::string uri_encoded(std::string_view s, bool keep_slash) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string out;
    for (unsigned char c : s) {
        bool const plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain || (keep_slash && c == '/')) out += static_cast<char>(c);
        else out += '%', out += digits[c >> 4], out += digits[c & 15];
    }
    return out;
}

result<object_keys> read_object_keys(std::string const& path) {
    auto text = read_small_file(path, secrecy::owner_only, 64 * 1024);
    if (!text) return text.error();
    object_keys out;
    int profiles = 0;
    for (std::size_t at = 0; at < text->size();) {
        auto const end = std::min(text->find('\n', at), text->size());
        auto const line = trimmed(std::string_view(*text).substr(at, end - at));
        at = end + 1;
        if (line.empty() || line[0] == '#' || line[0] == ';') continue;
        if (line[0] == '[') {                                   // a second profile would leave open which one is meant
            if (++profiles > 1) return errc::bad_format;
            continue;
        }
        auto const equals = line.find('=');
        if (equals == line.npos) return errc::bad_format;
        auto const name = trimmed(line.substr(0, equals)), value = trimmed(line.substr(equals + 1));
        if (name == "aws_access_key_id") out.access_key = value;
        else if (name == "aws_secret_access_key") out.secret_key = value;
        else if (name == "aws_session_token") out.session_token = value;
    }
    if (out.access_key.empty() || out.secret_key.empty()) return errc::bad_format;
    return out;
}

result<object_place> object_place::parse(std::string_view endpoint) {
    object_place p;
    if (endpoint.starts_with("https://")) endpoint.remove_prefix(8);
    else if (endpoint.starts_with("http://")) endpoint.remove_prefix(7), p.tls = false;
    else return errc::bad_format;
    while (endpoint.ends_with('/')) endpoint.remove_suffix(1);
    if (endpoint.empty() || endpoint.find_first_of("/?#@ ") != endpoint.npos) return errc::bad_format;
    auto const bracket = endpoint.rfind(']'), colon = endpoint.rfind(':');
    bool const has_port = colon != endpoint.npos && (bracket == endpoint.npos || colon > bracket);
    p.host = endpoint.substr(0, has_port ? colon : endpoint.npos);
    if (has_port) p.port = endpoint.substr(colon + 1);
    if (p.host.empty() || (has_port && (p.port.empty() || p.port.size() > 5 || p.port.find_first_not_of("0123456789") != p.port.npos))) return errc::bad_format;
    if (p.port == (p.tls ? "443" : "80")) p.port.clear();
    return p;
}

std::string object_place::authority() const {
    return (bucket_in_host ? bucket + "." : std::string{}) + host + (port.empty() ? "" : ":" + port);
}

std::string object_place::path_of(std::string_view key) const {
    std::string out = "/";
    if (!bucket_in_host) out += uri_encoded(bucket) + (key.empty() ? "" : "/");
    return out + (key.empty() ? std::string{} : uri_encoded(prefix, true) + uri_encoded(key, true));
}

std::string presign_get(object_place const& where, object_keys const& who, std::string_view key, std::string_view command_id, std::int64_t at, std::int64_t life_s) {
    auto const date = amz_date(at);
    pairs query{{"X-Amz-Algorithm", std::string(algorithm)}, {"X-Amz-Credential", who.access_key + "/" + scope(where, date)}, {"X-Amz-Date", date},
                {"X-Amz-Expires", std::to_string(std::clamp<std::int64_t>(life_s, 1, 604'800))}, {"X-Amz-SignedHeaders", "host"}};
    if (!who.session_token.empty()) query.emplace_back("X-Amz-Security-Token", who.session_token);
    if (!command_id.empty()) query.emplace_back("x-command-id", command_id);
    auto const path = where.path_of(key), text = canonical_query(std::move(query));
    auto const sum = signature(where, who, date, "GET\n" + path + "\n" + text + "\nhost:" + where.authority() + "\n\nhost\nUNSIGNED-PAYLOAD");
    auto const base = where.base_url.empty() ? (where.tls ? "https://" : "http://") + where.authority() : where.base_url;
    return base + path + "?" + text + "&X-Amz-Signature=" + sum;
}

signed_request sign_request(object_place const& where, object_keys const& who, object_request const& r, std::int64_t at) {
    auto const date = amz_date(at);
    signed_request out{where.path_of(r.key), r.headers};
    out.headers.insert(out.headers.end(), {{"host", where.authority()}, {"x-amz-content-sha256", r.payload_sha256}, {"x-amz-date", date}});
    if (!who.session_token.empty()) out.headers.emplace_back("x-amz-security-token", who.session_token);
    std::sort(out.headers.begin(), out.headers.end());
    std::string lines, names;
    for (auto const& [name, value] : out.headers) lines += name + ":" + value + "\n", (names += names.empty() ? "" : ";") += name;
    auto const query = canonical_query(r.query);
    auto const sum = signature(where, who, date, r.verb + "\n" + out.target + "\n" + query + "\n" + lines + "\n" + names + "\n" + r.payload_sha256);
    out.headers.emplace_back("authorization", std::string(algorithm) + " Credential=" + who.access_key + "/" + scope(where, date) + ", SignedHeaders=" + names + ", Signature=" + sum);
    if (!query.empty()) out.target += "?" + query;
    return out;
}

}
