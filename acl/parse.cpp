// Rules files: Mosquitto's acl_file (reference/brokers.md 2.3) and our own, which begins with the line `airmail 1`:
//
//   airmail 1
//   user alice                        also: role NAME, anonymous, everybody
//   allow read news/#                 allow|deny ACTIONS FILTER; ACTIONS: publish subscribe receive, read (both of them),
//   deny publish news/secret          write (= publish), all; several with commas
//
// `#` as first character is a comment in both; the filter is the rest of the line.

#include "acl/pattern.hpp"
#include "acl/rule.hpp"

namespace airmail::acl {
namespace {

bool blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trim(std::string_view s) {
    while (!s.empty() && (blank(s.back()) || s.back() == '\r')) s.remove_suffix(1);
    while (!s.empty() && blank(s.front())) s.remove_prefix(1);
    return s;
}

/// Takes the first word off the front of `s`.
std::string_view take_word(std::string_view& s) {
    std::size_t n = 0;
    while (n < s.size() && !blank(s[n])) ++n;
    auto const w = s.substr(0, n);
    s = trim(s.substr(n));
    return w;
}

/// One file being read; rules point into its text.
struct reader {
    std::vector<rule> rules;
    std::vector<complaint> complaints;
    std::uint32_t line = 0, source = 0;
    subject whom = subject::anonymous;
    std::string_view who;

    void say(bool fatal, std::string text) { complaints.push_back({fatal, static_cast<int>(line), std::move(text)}); }
    void add(effect e, std::uint8_t about, subject s, bool literal, std::string_view name, std::string_view filter) {
        if (!valid_filter(filter)) return say(true, "not a topic filter: \"" + std::string{filter.substr(0, 128)} + '"');
        rules.push_back({e, about, s, literal, name, filter, line, source});
    }
    void mosquitto(std::string_view s);
    void mosquitto_rule(bool pattern, std::string_view s);
    void native(std::string_view s);
    void native_rule(effect e, std::string_view s);
    void section(subject s, std::string_view name);
};

void reader::section(subject s, std::string_view name) {
    bool const named = s == subject::user || s == subject::role;
    if (named == name.empty()) return say(true, named ? "a name is missing" : "nothing may follow here");
    whom = s;
    who = name;
}

void reader::mosquitto(std::string_view s) {
    auto const word = take_word(s);
    if (word == "user") return section(subject::user, s);
    if (word == "topic" || word == "pattern") return mosquitto_rule(word == "pattern", s);
    say(true, "expected user, topic or pattern, got \"" + std::string{word.substr(0, 64)} + '"');
}

/// Placeholders that only Mosquitto 2.0 would honour: inside of a level.
bool only_old_mosquitto(std::string_view filter) {
    for (std::size_t i = filter.find('%'); i != filter.npos; i = filter.find('%', i + 1)) {
        if (i + 1 >= filter.size() || (filter[i + 1] != 'u' && filter[i + 1] != 'c')) continue;
        bool const begins = i == 0 || filter[i - 1] == '/', ends = i + 2 == filter.size() || filter[i + 2] == '/';
        if (!begins || !ends) return true;
    }
    return false;
}

void reader::mosquitto_rule(bool pattern, std::string_view s) {
    auto e = effect::allow;
    std::uint8_t about = may_all;
    auto filter = s;
    auto const word = take_word(s);
    // A single word is the filter, whatever it says; without an access word the filter may not hold blanks, but Mosquitto
    // takes the rest of the line and so do we.
    if (!s.empty()) {
        if (word == "read") about = may_read, filter = s;
        else if (word == "write") about = may_publish, filter = s;
        else if (word == "readwrite") filter = s;
        else if (word == "deny") e = effect::deny, filter = s;
    }
    if (filter.empty()) return say(true, "a topic filter is missing");
    if (pattern && only_old_mosquitto(filter))
        say(false, "Mosquitto 2.0 replaced %u and %c inside of a level; here, as in 2.1, they must be a whole level: \"" + std::string{filter.substr(0, 128)} + '"');
    if (pattern) add(e, about, subject::everybody, false, {}, filter);
    else add(e, about, whom, true, who, filter);   // %u in a topic line is two letters
}

void reader::native(std::string_view s) {
    auto const word = take_word(s);
    if (word == "allow") return native_rule(effect::allow, s);
    if (word == "deny") return native_rule(effect::deny, s);
    if (word == "user") return section(subject::user, s);
    if (word == "role") return section(subject::role, s);
    if (word == "anonymous") return section(subject::anonymous, s);
    if (word == "everybody") return section(subject::everybody, s);
    say(true, "expected allow, deny, user, role, anonymous or everybody, got \"" + std::string{word.substr(0, 64)} + '"');
}

void reader::native_rule(effect e, std::string_view s) {
    auto actions = take_word(s);
    std::uint8_t about = 0;
    while (true) {
        auto const comma = actions.find(',');
        auto const one = actions.substr(0, comma);
        if (one == "publish" || one == "write") about |= may_publish;
        else if (one == "subscribe") about |= may_subscribe;
        else if (one == "receive") about |= may_receive;
        else if (one == "read") about |= may_read;
        else if (one == "all") about |= may_all;
        else return say(true, "expected publish, subscribe, receive, read, write or all, got \"" + std::string{one.substr(0, 64)} + '"');
        if (comma == actions.npos) break;
        actions.remove_prefix(comma + 1);
    }
    add(e, about, whom, false, who, s);
}

}

std::vector<complaint> ruleset::parse(std::string text, std::string_view file) {
    auto const kept = std::make_shared<std::string const>(std::move(text));
    reader r;
    r.source = source(file);
    bool native = false, first = true;
    std::string_view left = *kept;
    if (left.starts_with("\xEF\xBB\xBF")) left.remove_prefix(3);
    while (!left.empty()) {
        ++r.line;
        auto const end = left.find('\n');
        auto const line = trim(left.substr(0, end));
        left = end == left.npos ? std::string_view{} : left.substr(end + 1);
        if (line.empty() || line.front() == '#') continue;
        if (first && line.starts_with("airmail ")) {
            native = true;
            r.whom = subject::everybody;
            if (line != "airmail 1") r.say(true, "expected airmail 1, the only version of rules there is");
        } else if (native) {
            r.native(line);
        } else {
            r.mosquitto(line);
        }
        first = false;
    }
    for (auto const& c : r.complaints)
        if (c.fatal) return std::move(r.complaints);
    native_ = native_ || native;
    files_.push_back(kept);
    rules_.insert(rules_.end(), r.rules.begin(), r.rules.end());
    return std::move(r.complaints);
}

}
