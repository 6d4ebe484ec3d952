#pragma once
// From rules to an engine.

#include "acl/engine.hpp"
#include "acl/rule.hpp"

namespace airmail::acl {

/// How rules decide.
///   native:    a deny that matches wins, else an allow, else denied. SUBSCRIBE is allowed only when one allow rule contains
///              the filter and no deny rule overlaps it.
///   mosquitto: the user's denies (latest first), the user's grants, denies of patterns, grants of patterns, denied; SUBSCRIBE
///              is "could any topic under it be readable" (reference/brokers.md 2.3, DECISIONS).
enum class semantics : std::uint8_t { native, mosquitto };

/// Compiles; takes about a second per million rules. Any thread; the result is immutable.
engine_ptr compile(ruleset rules, semantics how);

/// For Mosquitto listeners without acl_file: everything but publishing to $SYS is allowed.
engine_ptr allow_everything();

}
