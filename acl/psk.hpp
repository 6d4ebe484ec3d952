#pragma once
// Mosquitto's psk_file: `identity:hexadecimal key`, a line each. Source: mosquitto.conf(5), psk_file.

#include "acl/rule.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace airmail::acl {

/// Immutable after parse, shared by threads. Keys are 1 to 256 bytes (OpenSSL's bound).
class psk_file {
public:
    /// Lines beginning with # and empty lines are skipped; whatever else is no key is a fatal complaint.
    static psk_file parse(std::string_view text, std::vector<complaint>& complaints);

    /// The key of an identity; null when there is none. The pointer lives as long as the file.
    std::vector<std::uint8_t> const* find(std::string_view identity) const;
    std::size_t size() const { return keys_.size(); }

private:
    std::unordered_map<std::string, std::vector<std::uint8_t>> keys_;
};

}
