// links: airmail::plugins
// Feedback of a DDI client: whatever comes, a verdict is one of our words, and only a claim of success says "installed".

#include "plugins/ddi/feedback.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>

using namespace airmail::plugins::ddi;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    static constexpr std::array<std::string_view, 8> words{"", "cancelled", "too_late", "failed", "completed", "deferred", "downloading", "downloaded"};
    auto const f = parse_feedback({reinterpret_cast<char const*>(data), size});
    if (!f) return 0;
    for (bool const cancel : {false, true}) {
        auto const v = verdict_of(*f, cancel);
        bool known = false;
        for (auto w : words) known |= w == v.word;
        if (!known || v.progress < -1 || v.progress > 100 || (v.installed && (cancel || f->finished == "failure"))) std::abort();
    }
    return 0;
}
