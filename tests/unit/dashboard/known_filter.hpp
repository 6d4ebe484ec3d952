#pragma once
// Random RSQL with its meaning beside it: the text goes to the broker, the function is asked of each row in RAM.

#include "known_fleet.hpp"

#include <algorithm>
#include <functional>

namespace known {

struct filter {
    string text;
    std::function<bool(device const&)> holds;
};

inline string folded(string s) {
    for (auto& c : s)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return s;
}
/// The place of a version among those of the store; -1: none by the rules of semantic versions.
inline int place_of(string const& version) {
    static std::map<string, int> const places{{"v0.9.9", 0}, {"v1.0.2", 1}, {"v1.1.0-rc.1", 2}, {"1.1.0", 3}, {"v1.1.0", 3}, {"v1.10.0", 4}};
    auto const at = places.find(version);
    return at == places.end() ? -1 : at->second;
}
inline bool begins(string const& s, string const& with) { return s.substr(0, with.size()) == with; }
inline string value_in(std::map<string, string> const& pairs, char const* key) {
    auto const at = pairs.find(key);
    return at == pairs.end() ? string(1, '\0') : at->second;      // no text of the store
}

/// Every kind of field, with and without a value, with and without a wildcard.
inline std::vector<filter> const& comparisons() {
    using d = device const&;
    static auto const has_tag = [](d x, auto f) { return std::any_of(x.tags.begin(), x.tags.end(), [&](string const& t) { return f(folded(t)); }); };
    static auto const number = [](string const& s) -> std::optional<double> {
        if (s == "3" || s == "7" || s == "7.5" || s == "-1" || s == "10") return std::stod(s);      // the store's JSON numbers
        return std::nullopt;
    };
    static std::vector<filter> const all{
        {"model==TX-100", [](d x) { return folded(x.model) == "tx-100"; }},
        {"model!=TX-100", [](d x) { return folded(x.model) != "tx-100"; }},
        {"model==tx-1*", [](d x) { return begins(folded(x.model), "tx-1"); }},
        {"model==*b_c", [](d x) { return x.model == "a%b_c"; }},
        {"model==\"a%*c\"", [](d x) { return x.model == "a%b_c"; }},
        {"model=in=(solo-4000,SOLO-4001,\"M'quote\")", [](d x) { return x.model == "solo-4000" || x.model == "solo-4001" || x.model == "M'quote"; }},
        {"model=gt=tx-150", [](d x) { return folded(x.model) > "tx-150"; }},
        {"model=is=null", [](d x) { return x.model.empty(); }},
        {"fw==1.1.0", [](d x) { return place_of(x.version) == 3; }},
        {"fw!=v1.1.0", [](d x) { return place_of(x.version) != 3; }},
        {"fw=lt=1.1.0", [](d x) { return place_of(x.version) >= 0 && place_of(x.version) < 3; }},
        {"fw=ge=v1.1.0-rc.1", [](d x) { return place_of(x.version) >= 2; }},
        {"fw==\">=1.0 <1.10.0\"", [](d x) { auto const at = place_of(x.version); return at == 1 || at == 2 || at == 3; }},
        {"fw==night*", [](d x) { return x.version == "nightly"; }},
        {"fw==1.1*", [](d x) { return begins(x.version, "v1.1") || begins(x.version, "1.1"); }},
        {"fw=is=null", [](d x) { return x.version.empty(); }},
        {"fw=in=(0.9.9,nightly)", [](d x) { return place_of(x.version) == 0 || x.version == "nightly"; }},
        {"tag==lab", [](d x) { return x.tags.contains("lab"); }},
        {"tag!=lab", [](d x) { return !x.tags.contains("lab"); }},
        {"tag==BERLIN", [](d x) { return has_tag(x, [](string const& t) { return t == "berlin"; }); }},
        {"tag==lab*", [](d x) { return has_tag(x, [](string const& t) { return begins(t, "lab"); }); }},
        {"tag=out=(roof,\"x y\")", [](d x) { return !x.tags.contains("roof") && !x.tags.contains("x y"); }},
        {"tag=is=null", [](d x) { return x.tags.empty(); }},
        {"tag=not=null", [](d x) { return !x.tags.empty(); }},
        {"attribute.site==south", [](d x) { return folded(value_in(x.attributes, "site")) == "south"; }},
        {"attribute.site!=south", [](d x) { return folded(value_in(x.attributes, "site")) != "south"; }},
        {"attribute.site==n*", [](d x) { return begins(folded(value_in(x.attributes, "site")), "n"); }},
        {"attribute.site==\"n\\*\"", [](d x) { return value_in(x.attributes, "site") == "n*"; }},
        {"attribute.site=is=null", [](d x) { return !x.attributes.contains("site"); }},
        {"attribute.rev=ge=7", [](d x) { auto const n = number(value_in(x.attributes, "rev")); return n && *n >= 7; }},
        {"attribute.rev==07", [](d x) { return value_in(x.attributes, "rev") == "07"; }},
        {"group==eu/*", [](d x) { return begins(value_in(x.attributes, "group"), "eu/"); }},
        {"group=out=(us)", [](d x) { return value_in(x.attributes, "group") != "us"; }},
        {"setting.interval==300", [](d x) { return value_in(x.settings, "interval") == "300"; }},
        {"setting.interval=is=null", [](d x) { return x.settings.empty(); }},
        {"status==updating", [](d x) { return x.status == "updating"; }},
        {"status=out=(online,updating)", [](d x) { return x.status == "offline"; }},
        {"registration!=accepted", [](d x) { return x.registration != "accepted"; }},
        {"boot_slot==A", [](d x) { return folded(x.slot) == "a"; }},
        {"boot_slot=is=null", [](d x) { return x.slot.empty(); }},
        {"last_seen=lt=" + std::to_string(wall / 1000 - 30 * 3600), [](d x) { return x.last_seen < wall - 30 * 3'600'000; }},
        {"created_at=ge=" + std::to_string(wall / 1000 - 20 * 86'400), [](d x) { return x.created >= wall - std::int64_t{20} * 86'400'000; }},
        {"last_seen=is=null", [](d x) { return !x.ever_seen; }},
        {"ever_seen==true", [](d x) { return x.ever_seen; }},
        {"keys_version=is=null", [](d x) { return !x.keys; }},
        {"keys_version==2", [](d x) { return x.keys == 2; }},
        {"keys_version!=2", [](d x) { return x.keys != 2; }},
        {"security_counter=not=null", [](d x) { return x.counter.has_value(); }},
        {"security_counter=le=3", [](d x) { return x.counter && *x.counter <= 3; }},
        {"serial_no==SN-000*", [](d x) { return begins(x.serial, "SN-000"); }},
        {"serial_no==sn-*3", [](d x) { return begins(x.serial, "sn-") && x.serial.back() == '3'; }},
        {"serial_no=gt=a", [](d x) { return x.serial > "a"; }},
        {"id=in=(SN-00007,sn-00007)", [](d x) { return x.serial == "SN-00007"; }},
    };
    return all;
}

/// One to four comparisons, with brackets where they are needed and sometimes where they are not.
inline filter some_filter(store& s) {
    auto one = [&] { return s.of(comparisons()); };
    auto both = [](filter a, filter b, bool words) { return filter{a.text + (words ? " and " : ";") + b.text, [a, b](device const& d) { return a.holds(d) && b.holds(d); }}; };
    auto either = [](filter a, filter b, bool words) { return filter{a.text + (words ? " or " : ",") + b.text, [a, b](device const& d) { return a.holds(d) || b.holds(d); }}; };
    auto in_brackets = [](filter f) { return filter{"(" + f.text + ")", f.holds}; };
    bool const words = s.one_in(2);
    switch (s.below(5)) {
    case 0: return one();
    case 1: return both(one(), one(), words);
    case 2: return either(one(), one(), words);
    case 3: return both(in_brackets(either(one(), one(), words)), one(), words);
    default: return either(both(one(), one(), words), in_brackets(both(one(), one(), !words)), words);
    }
}

}
