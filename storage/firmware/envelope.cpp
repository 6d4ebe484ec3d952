#include "storage/firmware/envelope.hpp"

#include "storage/firmware/json_reader.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <set>

namespace airmail::storage::firmware {

namespace json = boost::json;

namespace {
constexpr std::size_t envelope_bytes_max = 64 * 1024;
constexpr std::size_t signatures_max = 16;
}

result<envelope> envelope::parse(std::string_view text) {
    if (text.size() > envelope_bytes_max) return errc::too_large;
    json_reader in(text);
    in.only({"payload", "type", "sigs"});
    envelope e;
    auto payload = from_base64(in.text("payload", envelope_bytes_max));
    if (!payload) return errc::bad_format;
    e.payload = as_text(*payload);
    e.type = in.text("type", 64);
    auto const& sigs = in.list("sigs");
    if (sigs.empty() || sigs.size() > signatures_max) return errc::bad_format;
    for (auto const& item : sigs) {
        json_reader one(item);
        one.only({"kid", "alg", "sig"});
        envelope_signature s;
        s.kid = one.text("kid", 64);
        s.alg = one.text("alg", 64);
        auto raw = from_base64(one.text("sig", 1024));
        if (!raw || !one.ok()) return errc::bad_format;
        s.sig = std::move(*raw);
        e.sigs.push_back(std::move(s));
    }
    if (!in.ok()) return errc::bad_format;
    return e;
}

std::string envelope::to_json() const {
    json::array list;
    for (auto const& s : sigs) list.push_back(json::object{{"kid", s.kid}, {"alg", s.alg}, {"sig", to_base64(s.sig)}});
    json::object all;
    all["payload"] = to_base64(as_bytes(payload));
    all["type"] = type;
    all["sigs"] = std::move(list);
    return json::serialize(all);
}

std::string pre_authentication_encoding(std::string_view type, std::string_view payload) {
    std::string out = "DSSEv1 ";
    out += std::to_string(type.size());
    out += ' ';
    out += type;
    out += ' ';
    out += std::to_string(payload.size());
    out += ' ';
    out += payload;
    return out;
}

result<void> add_signature(envelope& e, private_key const& key) {
    if (e.sigs.size() >= signatures_max) return errc::too_large;
    auto sig = key.sign(as_bytes(pre_authentication_encoding(e.type, e.payload)));
    if (!sig) return sig.error();
    std::erase_if(e.sigs, [&](envelope_signature const& s) { return s.kid == key.kid(); });
    e.sigs.push_back({key.kid(), std::string(name_of(key.alg())), std::move(*sig)});
    return {};
}

result<envelope> seal(std::string_view type, std::string_view payload, std::span<private_key const> keys) {
    if (keys.empty()) return errc::bad_key;
    envelope e{std::string(payload), std::string(type), {}};
    for (auto const& k : keys)
        if (auto done = add_signature(e, k); !done) return done.error();
    return e;
}

result<envelope> seal(std::string_view type, std::string_view payload, private_key const& key) {
    return seal(type, payload, std::span<private_key const>(&key, 1));
}

result<std::string_view> verify(envelope const& e, std::string_view type, signers const& who) {
    if (e.type != type) return errc::wrong_type;
    if (who.threshold == 0) return errc::bad_signature;          // "nobody need sign" is never meant
    auto message = pre_authentication_encoding(e.type, e.payload);
    std::set<key_id> good;                                       // different keys, however often each signed
    for (auto const& s : e.sigs) {
        auto key = std::find_if(who.keys.begin(), who.keys.end(), [&](public_key const& k) { return k.kid() == s.kid; });
        if (key == who.keys.end() || s.alg != name_of(key->alg())) continue;
        if (key->verify(as_bytes(message), s.sig)) good.insert(s.kid);
    }
    if (good.size() < who.threshold) return errc::bad_signature;
    return std::string_view(e.payload);
}

}
