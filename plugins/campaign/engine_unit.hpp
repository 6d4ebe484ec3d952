#pragma once
// One hook's work: inside it campaigns are cached; at its end they are written. An exception forgets everything cached, as the
// host undoes what was written.

#include "plugins/campaign/engine.hpp"

#include <type_traits>
#include <utility>

namespace airmail::plugins::campaign {

template <class F>
auto engine::unit(F f) {
    work_ = {};
    try {
        if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
            f(), flush(), work_ = {};
        } else {
            auto out = f();
            flush();
            if constexpr (requires { out.id; }) out = work_.campaigns.at(out.id);      // as it was written
            work_ = {};
            return out;
        }
    } catch (...) {
        work_ = {}, next_deadline_ = INT64_MAX;      // timers of this hook were undone with it: the next one arms anew
        throw;
    }
}

}
