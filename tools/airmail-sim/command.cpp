#include "tools/airmail-sim/command.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace airmail::sim {

namespace json = boost::json;
namespace fw = storage::firmware;

namespace {

constexpr std::size_t payload_max = 16 * 1024;  // PRODUCT: the wire contract

std::string text(json::object const& o, char const* name) {
    auto const* v = o.if_contains(name);
    return v && v->is_string() ? std::string(v->as_string()) : std::string();
}

std::uint64_t number(json::object const& o, char const* name) {
    auto const* v = o.if_contains(name);
    if (!v) return 0;
    if (v->is_uint64()) return v->as_uint64();
    return v->is_int64() && v->as_int64() > 0 ? static_cast<std::uint64_t>(v->as_int64()) : 0;
}

/// An envelope as an object, or as its text.
std::string document(json::object const& o, char const* name) {
    auto const* v = o.if_contains(name);
    if (!v || v->is_null()) return {};
    return v->is_string() ? std::string(v->as_string()) : json::serialize(*v);
}

/// The plain fields must be the signed ones; the URL alone is not under the signature.
bool same(command const& c, fw::signed_command const& s) {
    if (c.kind != s.command || c.command_id != s.command_id || c.campaign_id != s.campaign_id || c.seq != s.seq) return false;
    if (c.kind == "cancel") return true;
    auto const digest = fw::parse_digest(c.checksum);
    return digest && *digest == s.sha256 && c.version == s.version && c.size_bytes == s.size_bytes;
}

std::string_view reason_of(boost::system::error_code e) {
    if (e == fw::errc::not_for_us) return "incompatible";
    if (e == fw::errc::downgrade) return "downgrade_refused";
    if (e == fw::errc::expired) return "manifest_expired";
    return "signature_invalid";
}

std::string_view judge_release(command const& c, fw::digest256 const& promised, trust const& t, memory const& m, std::uint64_t& counter) {
    auto const e = fw::envelope::parse(c.manifest);
    if (!e || (promised != fw::digest256{} && fw::manifest_digest(*e) != promised)) return "signature_invalid";
    auto const payload = fw::verify(*e, fw::release_type, t.releases);
    if (!payload) return "signature_invalid";
    auto const r = fw::release_manifest::parse(*payload);
    if (!r || r->version != c.version) return "signature_invalid";
    counter = r->security_counter;
    auto const fits = fw::acceptable(*r, {.model = m.model, .version = m.version, .security_counter = m.security_counter, .now = m.now});
    return fits ? std::string_view{} : reason_of(fits.error());
}

}

std::optional<command> command::parse(std::string_view payload) {
    if (payload.size() > payload_max) return std::nullopt;
    boost::system::error_code ec;
    auto const v = json::parse(json::string_view(payload.data(), payload.size()), ec);
    if (ec || !v.is_object()) return std::nullopt;
    auto const& o = v.as_object();
    command c;
    c.kind = text(o, "command");
    if (c.kind.empty()) return std::nullopt;
    c.version = text(o, "version"), c.url = text(o, "url"), c.checksum = text(o, "checksum");
    c.campaign_id = text(o, "campaign_id"), c.command_id = text(o, "command_id"), c.device_id = text(o, "device_id");
    c.envelope = document(o, "envelope"), c.manifest = document(o, "manifest");
    c.size_bytes = number(o, "size_bytes"), c.seq = number(o, "seq"), c.expires_at = static_cast<std::int64_t>(number(o, "expires_at"));
    if (auto const* s = o.if_contains("settings"); s && s->is_object())
        for (auto const& [key, value] : s->as_object()) c.settings[key] = value.is_string() ? std::string(value.as_string()) : json::serialize(value);
    return c;
}

verdict judge(command const& c, trust const& t, memory const& m) {
    verdict out;
    fw::digest256 promised{};
    if (!t.commands.keys.empty()) {
        auto const s = fw::verify_command(c.envelope, t.commands, {.device_id = m.serial, .last_seq = m.last_seq, .now = m.now, .known_command_id = m.known_command_id});
        if (!s) {
            out.stale = s.error() == fw::errc::replayed || s.error() == fw::errc::not_for_us;
            out.reason = s.error() == fw::errc::expired ? "url_expired" : "signature_invalid";
            return out;
        }
        if (!same(c, *s)) return out.reason = "signature_invalid", out;
        promised = s->manifest_sha256;
    }
    if (c.kind == "cancel") return out;
    if (!t.releases.keys.empty()) out.reason = judge_release(c, promised, t, m, out.security_counter);
    return out;
}

}
