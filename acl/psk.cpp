#include "acl/psk.hpp"

namespace airmail::acl {
namespace {

constexpr std::size_t key_bytes_max = 256, identity_bytes_max = 128;   // as OpenSSL bounds them

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool decode(std::string_view hex, std::vector<std::uint8_t>& out) {
    if (hex.empty() || hex.size() % 2 != 0 || hex.size() / 2 > key_bytes_max) return false;
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        int const high = digit(hex[i]), low = digit(hex[i + 1]);
        if (high < 0 || low < 0) return false;
        out.push_back(static_cast<std::uint8_t>(high << 4 | low));
    }
    return true;
}

}

psk_file psk_file::parse(std::string_view text, std::vector<complaint>& complaints) {
    psk_file out;
    for (int line = 1; !text.empty(); ++line) {
        auto const end = text.find('\n');
        auto row = text.substr(0, end);
        text = end == text.npos ? std::string_view{} : text.substr(end + 1);
        while (!row.empty() && (row.back() == '\r' || row.back() == ' ' || row.back() == '\t')) row.remove_suffix(1);
        if (row.empty() || row.front() == '#') continue;
        auto const colon = row.find(':');
        auto const identity = row.substr(0, colon);
        std::vector<std::uint8_t> key;
        // No complaint quotes the line: half of it is a secret.
        if (colon == row.npos) complaints.push_back({true, line, "expected IDENTITY:KEY with the key in hexadecimal; there is no colon"});
        else if (identity.empty() || identity.size() > identity_bytes_max) complaints.push_back({true, line, "expected IDENTITY:KEY; the identity is empty or longer than 128 bytes"});
        else if (!decode(row.substr(colon + 1), key)) complaints.push_back({true, line, "expected IDENTITY:KEY; the key is not 1 to 256 bytes in hexadecimal"});
        else if (!out.keys_.emplace(identity, std::move(key)).second) complaints.push_back({true, line, "identity \"" + std::string{identity} + "\" is there twice"});
    }
    return out;
}

std::vector<std::uint8_t> const* psk_file::find(std::string_view identity) const {
    auto const at = keys_.find(std::string{identity});
    return at == keys_.end() ? nullptr : &at->second;
}

}
