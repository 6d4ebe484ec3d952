#include "storage/firmware/release_manifest.hpp"

#include "storage/firmware/json_reader.hpp"
#include "storage/firmware/semver.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

namespace airmail::storage::firmware {

namespace json = boost::json;

namespace {

json::array array_of(std::vector<std::string> const& texts) {
    json::array out;
    for (auto const& t : texts) out.emplace_back(t);
    return out;
}

bool holds(std::vector<std::string> const& list, std::string_view what) { return std::find(list.begin(), list.end(), what) != list.end(); }

}

std::string release_manifest::to_json() const {
    json::array parts;
    for (auto const& c : components) parts.push_back(json::object{{"name", c.name}, {"sha256", to_hex(c.sha256)}, {"size", c.size}});
    json::object o;
    o["model"] = array_of(model);
    o["hw"] = array_of(hw);
    o["version"] = version;
    o["security_counter"] = security_counter;
    o["components"] = std::move(parts);
    o["min_from_version"] = min_from_version;
    o["must_pass"] = array_of(must_pass);
    o["created"] = created;
    if (expires) o["expires"] = *expires;
    return json::serialize(o);
}

result<release_manifest> release_manifest::parse(std::string_view text) {
    json_reader in(text);
    release_manifest m;
    m.model = in.texts("model");
    if (in.has("hw")) m.hw = in.texts("hw");
    m.version = in.text("version", 64);
    m.security_counter = in.number_or("security_counter", 0);
    for (auto const& item : in.list("components")) {
        json_reader one(item);
        component c{one.text("name", 128), one.digest("sha256"), one.number("size")};
        if (!one.ok()) return errc::bad_format;
        m.components.push_back(std::move(c));
    }
    m.min_from_version = in.text_or("min_from_version", "", 64);
    if (in.has("must_pass")) m.must_pass = in.texts("must_pass");
    m.created = in.time("created");
    if (in.has("expires")) m.expires = in.time("expires");
    if (!in.ok() || m.model.empty() || m.components.empty() || m.components.size() > 64) return errc::bad_format;
    if (!firmware::version::parse(m.version)) return errc::bad_format;
    if (!m.min_from_version.empty() && !firmware::version::parse(m.min_from_version)) return errc::bad_format;
    return m;
}

result<void> acceptable(release_manifest const& m, device_facts const& d) {
    if (!holds(m.model, d.model)) return errc::not_for_us;
    if (!m.hw.empty() && !holds(m.hw, d.hw)) return errc::not_for_us;
    if (m.security_counter < d.security_counter) return errc::downgrade;
    if (!m.min_from_version.empty() && compare_versions(d.version, m.min_from_version) < 0) return errc::downgrade;
    if (m.expires && d.now != 0 && d.now > *m.expires) return errc::expired;
    return {};
}

digest256 manifest_digest(envelope const& e) { return sha256_of(e.payload); }

}
