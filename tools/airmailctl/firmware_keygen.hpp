#pragma once
// Keys that sign releases and commands: `airmailctl firmware keygen`, `airmailctl ca trust`. The release key need not be on the broker.

#include "storage/firmware/keys_json.hpp"
#include "tools/airmailctl/failure.hpp"

namespace airmail::ctl {

/// Makes PATH (private, 0600) and PATH.pub (0644), over neither. @return the key id. Throws failure.
std::string firmware_keygen(std::string const& path, storage::firmware::algorithm a = storage::firmware::algorithm::ed25519);

struct trust_options {
    std::size_t root_keys = 1, root_threshold = 1;
    std::int64_t expires = 0;               // unix seconds, of keys.json; required
};
struct trust_paths {
    std::vector<std::string> root;          // DIR/root1.pem ...: to be taken offline
    std::string release;                    // DIR/release.pem: to CI, or offline
    std::string command;                    // DIR/command.pem: the broker's online key
    std::string keys_json;                  // DIR/keys.json: version 1, for devices and broker
};
/// A whole first set in a new or empty directory (0700): root, release and command keys and keys.json signed by the roots.
trust_paths make_trust(std::string const& directory, trust_options const& o);

}
