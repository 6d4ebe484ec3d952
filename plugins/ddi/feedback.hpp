#pragma once
// What a DDI client says of an action, and what that means to us (reference/ota.md 6). Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace airmail::plugins::ddi {

/// {"id":..,"status":{"execution":"closed","result":{"finished":"success","progress":{"cnt":1,"of":2}},"details":["..."]}}
struct feedback {
    std::string execution, finished, details;      // details: joined by a blank
    std::int64_t count = -1, of = 0;
};
std::optional<feedback> parse_feedback(std::string_view json);

struct verdict {
    std::string_view word, reason;                 // word empty: nothing moves
    std::int64_t progress = -1;
    bool closes = false;                           // the client will not speak of this action again
    bool installed = false;                        // it claims to run the new version
};
/// @param cancel  feedback on cancelAction: then "success" confirms the cancel
verdict verdict_of(feedback const& f, bool cancel);

}
