#include "storage/firmware/keys_json.hpp"

#include "storage/firmware/json_reader.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <set>

namespace airmail::storage::firmware {

namespace json = boost::json;

namespace {

json::array array_of(std::vector<std::string> const& texts) {
    json::array out;
    for (auto const& t : texts) out.emplace_back(t);
    return out;
}

bool holds(std::vector<key_id> const& list, key_id const& k) { return std::find(list.begin(), list.end(), k) != list.end(); }

result<void> read_keys(json::object const& from, key_list& to) {
    if (from.size() > 256) return errc::too_large;
    for (auto const& m : from) {
        json_reader one(m.value());
        auto alg = one.text("alg", 64);
        auto der = from_base64(one.text("public", 4096));
        if (!one.ok() || !der) return errc::bad_format;
        auto key = public_key::from_der(*der);
        if (!key) return key.error();
        // The name is the key's own hash: a list cannot call one key by another's name.
        if (key->kid() != std::string_view(m.key().data(), m.key().size()) || alg != name_of(key->alg())) return errc::bad_format;
        to.keys.emplace(key->kid(), std::move(*key));
    }
    return {};
}

result<void> read_role(json::value const& from, std::string const& name, key_list& to) {
    json_reader one(from);
    key_role r{one.texts("kids", 64), one.number("threshold")};
    if (!one.ok() || r.threshold == 0) return errc::bad_format;
    std::set<key_id> different(r.kids.begin(), r.kids.end());
    if (different.size() != r.kids.size()) return errc::bad_format;
    std::size_t living = 0;
    for (auto const& k : r.kids) {
        if (!to.keys.contains(k)) return errc::bad_format;
        if (!holds(to.revoked, k)) ++living;
    }
    if (living < r.threshold) return errc::bad_format;
    to.roles[name] = std::move(r);
    return {};
}

}

std::string key_list::to_json() const {
    json::object o;
    o["version"] = version;
    o["expires"] = expires;
    json::object r;
    for (auto const& [name, role] : roles) r[name] = json::object{{"kids", array_of(role.kids)}, {"threshold", role.threshold}};
    o["roles"] = std::move(r);
    json::object k;
    for (auto const& [kid, key] : keys) k[kid] = json::object{{"alg", json::string(name_of(key.alg()))}, {"public", to_base64(key.der())}};
    o["keys"] = std::move(k);
    o["revoked"] = array_of(revoked);
    return json::serialize(o);
}

result<key_list> key_list::parse(std::string_view text) {
    json_reader in(text);
    key_list l;
    l.version = in.number("version");
    l.expires = in.time("expires");
    if (in.has("revoked")) l.revoked = in.texts("revoked");
    if (!in.ok() || l.version == 0) return errc::bad_format;
    if (auto done = read_keys(in.object("keys"), l); !done) return done.error();
    auto const& roles = in.object("roles");
    if (!in.ok() || roles.size() > 16) return errc::bad_format;
    for (auto const& m : roles)
        if (auto done = read_role(m.value(), std::string(m.key().data(), m.key().size()), l); !done) return done.error();
    for (auto const* name : {"root", "release", "command"})
        if (!l.roles.contains(name)) return errc::bad_format;
    return l;
}

signers key_list::signers_of(std::string_view role) const {
    signers s;
    auto r = roles.find(std::string(role));
    if (r == roles.end()) return s;
    s.threshold = r->second.threshold;
    for (auto const& k : r->second.kids)
        if (!holds(revoked, k)) s.keys.push_back(keys.at(k));
    return s;
}

result<key_list> verify_keys(envelope const& e, std::int64_t now) {
    if (e.type != keys_type) return errc::wrong_type;
    auto l = key_list::parse(e.payload);                 // read before it is believed: it names its own signers
    if (!l) return l.error();
    if (auto good = verify(e, keys_type, l->signers_of("root")); !good) return good.error();
    if (now != 0 && now > l->expires) return errc::expired;
    return l;
}

result<key_list> verify_rotation(key_list const& current, envelope const& next, std::int64_t now) {
    if (auto good = verify(next, keys_type, current.signers_of("root")); !good) return good.error();
    auto l = verify_keys(next, now);
    if (!l) return l.error();
    if (l->version != current.version + 1) return errc::replayed;
    return l;
}

}
