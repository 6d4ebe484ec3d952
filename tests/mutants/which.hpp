#pragma once
// Included by mutated copies only: which mutant this process is, from AIRMAIL_MUTANT; 0 is none.

#include <cstdlib>

inline int airmail_mutant() {
    static int const number = [] {
        auto const* text = std::getenv("AIRMAIL_MUTANT");
        return text ? std::atoi(text) : 0;
    }();
    return number;
}
