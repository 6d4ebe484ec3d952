#pragma once
// May this identity do that? Compiled once from parsed rules, immutable, shared by every shard; a reload builds a new one
// and swaps the pointer. Default deny. Every decision names the rule that made it, for `airmailctl acl explain`.

#include "acl/identity.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::acl {

enum class action : std::uint8_t { publish, subscribe, receive };

/// What was decided and why. `rule` is an index into engine::rules(), or no_rule when nothing matched (then denied).
struct decision {
    static constexpr std::uint32_t no_rule = 0xFFFFFFFF;
    bool allowed = false;
    std::uint32_t rule = no_rule;
};

/// A session's place in an engine, so that the hot path does not look its name up again. Owned by the session, filled and
/// refreshed by check(); start with a default one. Copyable, 16 bytes.
struct seat {
    std::uint64_t engine = 0;    // which engine filled it; another one fills it anew
    std::uint32_t user = 0, role = 0;
};

class engine {
public:
    virtual ~engine() = default;

    /// May `who` publish to, subscribe to, or receive from `topic`? For `subscribe`, `topic` is a filter and the answer is
    /// yes only when every topic it could match is allowed (filter inside filter); a `$share/group/` prefix must already be
    /// taken off. Pure, allocation-free, any thread. Cost: O(levels) for the device rules, O(rules of this user) otherwise.
    virtual decision check(identity const& who, action what, std::string_view topic) const = 0;

    /// The same, with the look-up by name remembered in `at`. `who` must be the same identity on every call.
    virtual decision check(identity const& who, [[maybe_unused]] seat& at, action what, std::string_view topic) const {
        return check(who, what, topic);
    }

    /// Rules of Mosquitto's acl_file decide: SUBSCRIBE says only whether any topic under the filter could be readable, v3
    /// clients are answered as if it were allowed, a refused PUBLISH of theirs is acknowledged and dropped, and every
    /// delivery needs a `receive` check.
    virtual bool mosquitto() const { return false; }
    /// The same for one identity, where different rules hold for different listeners.
    virtual bool mosquitto([[maybe_unused]] identity const& who) const { return mosquitto(); }

    /// One line for people: the rule's text with file and line, or the built-in's name.
    virtual std::string explain(decision d) const = 0;

    /// Number of compiled rules.
    virtual std::size_t size() const = 0;
};

using engine_ptr = std::shared_ptr<engine const>;

}
