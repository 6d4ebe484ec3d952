// links: airmail::acl
// Files of users and of keys, any bytes: what a fatal complaint names is not used; no complaint shows a key.

#include "acl/password.hpp"
#include "acl/psk.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace airmail::acl;
    std::string_view const text{reinterpret_cast<char const*>(data), size};
    std::vector<complaint> said;
    auto const users = password_file::parse(text, said);
    if (users.size() > size) std::abort();
    for (auto const& c : said)
        if (c.line < 1 || c.text.empty()) std::abort();
    (void)is_password_hash(text.substr(0, 600));
    said.clear();
    auto const keys = psk_file::parse(text, said);
    if (keys.size() * 4 > size) std::abort();
    for (auto const& c : said)
        if (!c.fatal || c.line < 1 || c.text.empty()) std::abort();
    return 0;
}
