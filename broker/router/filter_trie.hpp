#pragma once
// Wildcard filters to numbers: a flat trie. All edges are in one table, (parent, level hash) -> child; a node is 32 bytes, its
// text is in an arena. `+` and `#` are fields of their parent, so a match looks at no text for them.

#include "broker/router/id_table.hpp"
#include "broker/router/levels.hpp"
#include "broker/router/text_arena.hpp"

#include <array>
#include <deque>
#include <vector>

namespace airmail::router {

/// Values are the caller's numbers (`none` means absent). Owned by: the tree or table it is part of. Not thread-safe, but
/// match() is const and changes nothing.
class filter_trie {
public:
    static constexpr std::uint32_t none = id_table::none;
    /// Most nodes one match may look at: `+` doubles the paths with each level. Reached only by filters made for it.
    static constexpr std::uint32_t visits_max = 1U << 16;

    filter_trie();
    std::uint32_t find(std::string_view filter) const;
    /// The filter must not be there. At most levels::max levels.
    void insert(std::string_view filter, std::uint32_t value);
    /// The value it had, or none.
    std::uint32_t erase(std::string_view filter);
    bool empty() const { return size_ == 0; }
    std::uint32_t size() const { return size_; }
    std::size_t footprint() const;

    /// Calls f(value) for every filter that matches. No allocation. Returns false when the bound cut it short.
    template <class F> bool match(levels const& t, F&& f) const {
        if (size_ == 0 || !t.ok()) return true;
        struct place {
            std::uint32_t node, depth;
        };
        std::array<place, 2 * levels::max + 2> stack;  // one `+` sibling waits per level at most
        std::uint32_t top = 0, visits = 0;
        stack[top++] = {0, 0};
        while (top) {
            auto const [at, depth] = stack[--top];
            if (++visits > visits_max) return false;
            node const& n = nodes_[at];
            bool const hidden = depth == 0 && t.dollar();
            if (n.rest != none && !hidden) f(n.rest);
            if (depth == t.count()) {
                if (n.value != none) f(n.value);
                continue;
            }
            if (n.plus != none && !hidden) stack[top++] = {n.plus, depth + 1};
            if (n.children)
                if (auto const c = child(at, t.hash(depth), t.text(depth)); c != none) stack[top++] = {c, depth + 1};
        }
        return true;
    }

private:
    struct node {
        std::uint32_t parent = none, text = 0, plus = none, rest = none /* value of `#` here */, value = none, children = 0, hash = 0;
        std::uint16_t size = 0;
        bool is_plus = false;
    };
    static std::uint32_t edge(std::uint32_t parent, std::uint32_t hash) { return static_cast<std::uint32_t>(mix(hash, parent + 1)); }
    std::uint32_t child(std::uint32_t parent, std::uint32_t hash, std::string_view text) const {
        return edges_.find(edge(parent, hash), [&](std::uint32_t id) {
            node const& n = nodes_[id];
            return n.parent == parent && texts_.at(n.text, n.size) == text;
        });
    }
    std::uint32_t make(std::uint32_t parent, std::uint32_t hash, std::string_view text, bool plus);
    void prune(std::uint32_t at);
    void compact();

    std::deque<node> nodes_;  // [0] is the root
    std::vector<std::uint32_t> free_;
    id_table edges_;
    text_arena texts_;
    std::uint32_t size_ = 0;
};

}
