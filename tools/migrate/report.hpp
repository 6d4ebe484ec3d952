#pragma once
// What a migration has to say: one line for each thing, in three kinds.

#include <string>
#include <vector>

namespace airmail::migrate {

struct report {
    enum class kind { maps, changed, refused };
    struct line {
        kind what;
        std::string where, text;
    };
    std::vector<line> lines;
    void maps(std::string where, std::string text) { lines.push_back({kind::maps, std::move(where), std::move(text)}); }
    /// Works, and not quite as before.
    void changed(std::string where, std::string text) { lines.push_back({kind::changed, std::move(where), std::move(text)}); }
    /// Does not work, and security or data rest on it.
    void refused(std::string where, std::string text) { lines.push_back({kind::refused, std::move(where), std::move(text)}); }
    bool any_refused() const {
        for (auto const& l : lines)
            if (l.what == kind::refused) return true;
        return false;
    }
};

}
