#pragma once
// Lines of the log about refusals: 20 a second and thread, so that a client that keeps trying does not fill the disk (B29).

#include "broker/log/sparing.hpp"

namespace airmail::handlers {

inline thread_local log::sparing refusals{20};

}
