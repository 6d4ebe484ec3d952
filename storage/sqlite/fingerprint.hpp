#pragma once
// SHA-256 of short texts: checksums of migrations, the audit chain, hashes of API secrets.

#include <string>
#include <string_view>

namespace airmail::storage::sqlite {

/// 64 lower-case hex digits.
std::string sha256_hex(std::string_view text);

}
