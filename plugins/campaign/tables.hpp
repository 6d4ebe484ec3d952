#pragma once
// The tables of the rollout: the document's columns and words, and what ours need besides.

#include "plugins/sdk/plugin.hpp"

namespace airmail::plugins::campaign {

std::vector<sdk::table_decl> tables();

}
