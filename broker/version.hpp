#pragma once
// The one place that knows what this build calls itself; CMake gives the number.

namespace airmail {

#ifndef AIRMAIL_VERSION
#define AIRMAIL_VERSION "0.1.0"
#endif
/// As in `airmaild --version`, $SYS/broker/version and the User-Agent of tools.
inline constexpr char const* version = AIRMAIL_VERSION;

}
