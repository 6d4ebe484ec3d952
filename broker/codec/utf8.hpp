#pragma once
// Well-formed UTF-8 as MQTT wants it. [MQTT 5, 1.5.4]

#include <string_view>

namespace airmail::codec {

/// True when `s` is well-formed UTF-8 without U+0000, surrogates or overlong forms. A byte order mark is a character
/// like any other. Eight bytes a step while they are ASCII. [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-1.5.4-3]
bool valid_utf8(std::string_view s);

/// The same for a payload that is said to be UTF-8, where U+0000 is a character too. [MQTT 5, 3.3.2.3.2]
bool valid_text(std::string_view s);

}
