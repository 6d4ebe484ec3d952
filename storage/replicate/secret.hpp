#pragma once
// Where a password comes from. Configuration names the place, never the secret: file:/path, credential:NAME (systemd), env:NAME,
// exec:/path/to/program arg arg. Read anew at every connection, so a rotated secret needs no restart.

#include <string>
#include <string_view>

namespace airmail::storage::replicate {

/// "" when `reference` has one of the four forms (or is empty); else what is wrong, without repeating it: it may be a secret.
std::string secret_problem(std::string_view reference);

/// The secret (first line), or empty with `why`. An empty reference is an empty secret. Blocks: exec at most 5 s.
std::string read_secret(std::string_view reference, std::string& why);

}
