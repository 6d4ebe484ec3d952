#include "plugins/heartbeat/slots.hpp"

#include <cstring>

namespace airmail::plugins::heartbeat {

std::uint64_t hash_text(std::string_view s, std::uint64_t h) {
    for (unsigned char c : s) h = (h ^ c) * 1099511628211ull;
    return (h ^ 0xff) * 1099511628211ull;          // an end mark: "ab"+"c" is not "a"+"bc"
}

slot& slot_table::of(std::string_view serial) {
    if (auto* s = find(serial)) return *s;
    index_.emplace(std::string{serial}, static_cast<std::uint32_t>(slots_.size()));
    auto& s = slots_.emplace_back();
    s.serial = serial;
    changed_.resize((slots_.size() + per_chunk - 1) / per_chunk);
    changed(s);
    return s;
}

slot* slot_table::find(std::string_view serial) {
    auto at = index_.find(std::string{serial});
    return at == index_.end() ? nullptr : &slots_[at->second];
}

void slot_table::changed(slot const& s) { changed_[static_cast<std::size_t>(&s - slots_.data()) / per_chunk] = true; }

std::vector<std::uint64_t> slot_table::take_changed() {
    std::vector<std::uint64_t> out;
    for (std::size_t i = 0; i < changed_.size(); ++i)
        if (changed_[i]) out.push_back(i), changed_[i] = false;
    return out;
}

namespace {

template <class T>
void put(std::string& out, T v) {
    out.append(reinterpret_cast<char const*>(&v), sizeof v);      // one machine writes and reads it: no byte order to agree on
}
template <class T>
bool get(std::string_view& in, T& v) {
    if (in.size() < sizeof v) return false;
    std::memcpy(&v, in.data(), sizeof v);
    return in.remove_prefix(sizeof v), true;
}

constexpr std::uint8_t format = 1;

}

std::string slot_table::save(std::uint64_t chunk) const {
    std::string out(1, static_cast<char>(format));
    for (std::size_t i = chunk * per_chunk; i < slots_.size() && i < (chunk + 1) * per_chunk; ++i) {
        auto const& s = slots_[i];
        put(out, static_cast<std::uint8_t>(s.serial.size())), out += s.serial;
        put(out, s.content), put(out, s.boot), put(out, s.result), put(out, s.last_seen), put(out, s.rhythm);
    }
    return out;
}

bool slot_table::load(std::uint64_t, std::string_view in) {
    if (in.empty() || static_cast<std::uint8_t>(in[0]) != format) return false;
    in.remove_prefix(1);
    while (!in.empty()) {
        std::uint8_t n = 0;
        if (!get(in, n) || in.size() < n || n == 0 || n > 64) return false;
        slot read;
        auto serial = in.substr(0, n);
        in.remove_prefix(n);
        if (!get(in, read.content) || !get(in, read.boot) || !get(in, read.result) || !get(in, read.last_seen) || !get(in, read.rhythm)) return false;
        auto& s = of(serial);
        read.serial = serial;
        s = std::move(read);
    }
    return true;
}

}
