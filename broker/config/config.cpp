#include "broker/config/config.hpp"

#include "broker/config/value.hpp"

#include <algorithm>
#include <stdexcept>

namespace airmail::config {
namespace {

[[noreturn]] void bug(std::string_view name, std::string_view what) {
    throw std::logic_error{"config: " + std::string{name} + ": " + std::string{what}};
}

/// The values were checked when they were read, and the table's defaults by a test.
template <class T> T checked(std::optional<T> v, std::string_view name) {
    if (!v) bug(name, "unchecked value");
    return *v;
}

}

std::string finding::str() const {
    static constexpr std::string_view words[] = {"note", "warning", "error"};
    std::string out = file;
    if (line > 0) out += ':' + std::to_string(line);
    if (!out.empty()) out += ": ";
    out.append(words[static_cast<int>(weight)]).append(": ").append(text);
    // It quotes what somebody wrote: no quoted control character may move the terminal's cursor or make a second line.
    for (auto& c : out)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
    return out;
}

setting const* section::look(std::string_view name) const {
    if (auto const at = settings_.find(name); at != settings_.end()) return &at->second;
    return above_ ? above_->look(name) : nullptr;
}

std::string_view section::value(std::string_view name, type kind) const {
    auto const* d = find(name);
    if (!d) bug(name, "no such directive");
    bool const words = kind == type::text && (d->kind == type::path || d->kind == type::choice);
    if (d->kind != kind && !words && !(kind == type::duration && d->kind == type::expiry)) bug(name, "asked for as another type");
    if (auto const* s = look(d->name)) return s->values.back();
    return d->standard_for(device_);
}

bool section::flag(std::string_view name) const {
    auto const v = value(name, type::flag);
    return !v.empty() && checked(to_flag(v), name);
}

std::int64_t section::number(std::string_view name) const {
    auto const v = value(name, type::count);
    return v.empty() ? 0 : checked(to_count(v), name);
}

std::uint64_t section::size(std::string_view name) const {
    auto const v = value(name, type::size);
    return v.empty() ? 0 : checked(to_size(v), name);
}

std::chrono::milliseconds section::duration(std::string_view name) const {
    auto const v = value(name, type::duration);
    if (v.empty()) return {};
    return checked(find(name)->kind == type::expiry ? to_expiry(v) : to_duration(v), name);
}

double section::percent(std::string_view name) const {
    auto const v = value(name, type::percent);
    return v.empty() ? 0 : checked(to_percent(v), name);
}

std::string_view section::text(std::string_view name) const { return value(name, type::text); }

std::vector<std::string> section::list(std::string_view name) const {
    auto const* d = find(name);
    if (!d || !d->repeats) bug(name, "not a directive that repeats");
    if (auto const* s = look(d->name)) return s->values;
    if (auto const v = d->standard_for(device_); !v.empty()) return {std::string{v}};
    return {};
}

bool section::written(std::string_view name) const {
    auto const* d = find(name);
    if (!d) bug(name, "no such directive");
    return settings_.contains(d->name);
}

std::string section::where(std::string_view name) const {
    auto const* d = find(name);
    if (!d) bug(name, "no such directive");
    auto const* s = look(d->name);
    if (!s) return "default";
    return s->line > 0 ? s->file + ':' + std::to_string(s->line) : s->file;
}

bool listener::allow_anonymous() const {
    if (written("listener_allow_anonymous")) return flag("listener_allow_anonymous");
    if (look("allow_anonymous")) return flag("allow_anonymous");
    return local_only && !device_;
}

std::string listener::name() const {
    if (!unix_path.empty()) return "unix:" + unix_path;
    if (address.empty()) return (local_only ? "localhost:" : "") + std::to_string(port);
    return (address.find(':') != std::string::npos ? '[' + address + ']' : address) + ':' + std::to_string(port);
}

bool config::ok() const {
    return std::none_of(findings_.begin(), findings_.end(), [](finding const& f) { return f.weight == finding::grade::error; });
}

}
