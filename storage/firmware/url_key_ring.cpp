// The ring of URL secrets and its file.
#include "storage/firmware/signed_url.hpp"

#include "storage/firmware/files.hpp"
#include "storage/firmware/json_reader.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <openssl/rand.h>

namespace airmail::storage::firmware {

namespace json = boost::json;

namespace {

constexpr std::size_t honoured_max = 2;

result<url_key> new_key(std::int64_t now) {
    url_key k;
    std::array<std::uint8_t, 4> name{};
    if (RAND_bytes(k.secret.data(), int(k.secret.size())) != 1 || RAND_bytes(name.data(), int(name.size())) != 1) return errc::io;
    k.kid = to_hex(name);
    k.created_at = now;
    return k;
}

std::string text_of(std::vector<url_key> const& keys) {
    json::array list;
    for (auto const& k : keys) list.push_back(json::object{{"kid", k.kid}, {"secret", to_base64url(k.secret)}, {"created_at", k.created_at}});
    return json::serialize(json::object{{"keys", std::move(list)}}) + "\n";
}

}

result<url_key_ring> url_key_ring::load_or_create(std::string const& path, std::int64_t now) {
    url_key_ring ring;
    ring.path_ = path;
    auto text = read_small_file(path, secrecy::owner_only, 64 * 1024);
    if (!text && text.error() == errc::not_found) {
        auto k = new_key(now);
        if (!k) return k.error();
        ring.keys_.push_back(*k);
        if (auto done = write_new_file(path, text_of(ring.keys_), 0600); !done) return done.error();
        return ring;
    }
    if (!text) return text.error();
    json_reader in(*text);
    for (auto const& item : in.list("keys")) {
        json_reader one(item);
        url_key k;
        k.kid = one.text("kid", 8);
        k.created_at = one.time("created_at");
        auto secret = from_base64url(one.text("secret", 64));
        auto kid = from_hex(k.kid);
        if (!one.ok() || !secret || secret->size() != k.secret.size() || !kid || kid->size() != 4) return errc::bad_format;
        std::copy(secret->begin(), secret->end(), k.secret.begin());
        if (ring.find(k.kid)) return errc::bad_format;
        ring.keys_.push_back(k);
    }
    if (!in.ok() || ring.keys_.empty() || ring.keys_.size() > honoured_max) return errc::bad_format;
    return ring;
}

url_key_ring url_key_ring::with(std::vector<url_key> newest_first) {
    url_key_ring ring;
    ring.keys_ = std::move(newest_first);
    return ring;
}

result<void> url_key_ring::save() const {
    if (path_.empty()) return {};
    return replace_file(path_, text_of(keys_), 0600);
}

result<void> url_key_ring::rotate(std::int64_t now) {
    auto k = new_key(now);
    if (!k) return k.error();
    auto before = keys_;
    keys_.insert(keys_.begin(), *k);
    if (keys_.size() > honoured_max) keys_.resize(honoured_max);
    if (auto done = save(); !done) {
        keys_ = std::move(before);                        // signing with a key that a restart forgets would break every URL
        return done.error();
    }
    return {};
}

result<void> url_key_ring::revoke(std::string_view kid, std::int64_t now) {
    auto before = keys_;
    if (std::erase_if(keys_, [&](url_key const& k) { return k.kid == kid; }) == 0) return errc::unknown_key;
    if (keys_.empty() || before.front().kid == kid) {
        auto k = new_key(now);
        if (!k) {
            keys_ = std::move(before);
            return k.error();
        }
        keys_.insert(keys_.begin(), *k);
    }
    if (auto done = save(); !done) {
        keys_ = std::move(before);
        return done.error();
    }
    return {};
}

url_key const* url_key_ring::find(std::string_view kid) const {
    auto it = std::find_if(keys_.begin(), keys_.end(), [&](url_key const& k) { return k.kid == kid; });
    return it == keys_.end() ? nullptr : &*it;
}

}
