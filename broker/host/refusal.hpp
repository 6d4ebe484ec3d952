#pragma once
// Why a plugin was not taken. Start-up only: the right reaction is one clear line and a stop.

#include <stdexcept>
#include <string>

namespace airmail::host {

enum class errc { unreadable = 1, no_symbol, abi, bad_table, bad_declaration, duplicate, order, grant, database, refused };

/// what() is one sentence: which plugin, what is wrong, what to do.
class refusal : public std::runtime_error {
public:
    refusal(errc code, std::string const& what) : std::runtime_error(what), code_(code) {}
    errc code() const { return code_; }

private:
    errc code_;
};

}
