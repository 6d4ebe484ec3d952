#pragma once
// The part of JSON Schema (2020-12) that topic payloads need: type, enum, const, required, properties,
// additionalProperties (true or false), items, minimum, maximum, minLength, maxLength, minItems, maxItems. Anything else is
// refused at load: a rule that is not checked must not look as if it were. Immutable, any thread.

#include <memory>
#include <string>
#include <string_view>

namespace airmail::host {

class schema {
public:
    /// What is wrong with a schema text; empty = nothing.
    static std::string problem(std::string_view text);
    /// `text` has no problem().
    explicit schema(std::string_view text);
    ~schema();
    schema(schema&&) noexcept;
    schema& operator=(schema&&) noexcept;

    /// Why a payload breaks it ("/progress: above 100"); empty = it fits. Depth at most 32.
    std::string violation(std::string_view payload) const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}
