#pragma once
// One rule, and many of them with the text they came from. Rules are views into that text: a million of them cost 48 bytes
// each beside the file itself.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::acl {

enum class effect : std::uint8_t { allow, deny };

/// What a rule speaks about; bits.
enum access : std::uint8_t { may_publish = 1, may_subscribe = 2, may_receive = 4, may_read = 6, may_all = 7 };

/// Whom it speaks about.
enum class subject : std::uint8_t {
    user,         // the identity of that name
    anonymous,    // identities without a name
    role,         // identities of that role
    everybody,
};

/// `filter` may hold whole-level placeholders: %u {id} {device_id} {user} (the identity's name), %c {client_id}.
struct rule {
    effect what = effect::allow;
    std::uint8_t about = may_all;
    subject whom = subject::everybody;
    bool literal = false;        // nothing in the filter is a placeholder (Mosquitto's `topic` lines)
    std::string_view who, filter;
    std::uint32_t line = 0;      // 1-based; 0 = built in or a plugin's
    std::uint32_t source = 0;    // index into ruleset::sources()
};

/// Something wrong in a rules file. `fatal`: the rules must not be used.
struct complaint {
    bool fatal = true;
    int line = 0;
    std::string text;
};

/// Owns rules and the text under them. Built on one thread, then handed to compile().
class ruleset {
public:
    ruleset() = default;
    ruleset(ruleset&&) = default;                // move only: rules point into strings that it owns
    ruleset& operator=(ruleset&&) = default;
    /// Adds one rule, copying its strings. `source` names who wants it: "built-in", "plugin campaign".
    void add(effect what, std::uint8_t about, subject whom, std::string_view who, std::string_view filter, std::string_view source);
    /// Reads a rules file: our own when its first line is `airmail 1`, else Mosquitto's acl_file. Rules of a file with a
    /// fatal complaint are not added. Any bytes; the text is kept as long as the rules.
    std::vector<complaint> parse(std::string text, std::string_view file);

    /// Was any of it in our own language (`airmail 1`)? Then our semantics decide.
    bool native() const { return native_; }
    std::vector<rule> const& rules() const { return rules_; }
    std::vector<std::string> const& sources() const { return sources_; }
    /// `file:line: user alice allow publish a/#`, for people.
    std::string describe(rule const& r) const;

private:
    std::string_view keep(std::string_view s);
    std::uint32_t source(std::string_view name);
    bool native_ = false;
    std::vector<rule> rules_;
    std::vector<std::string> sources_;
    std::vector<std::shared_ptr<std::string const>> files_;
    std::deque<std::string> kept_;
};

}
