// links: airmail::migrate
// A dynamic-security document of any bytes: refused, or made into files that our own parsers take without a fatal complaint.

#include "acl/password.hpp"
#include "acl/rule.hpp"
#include "tools/migrate/dynsec.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace airmail;
    migrate::report say;
    std::string why;
    auto const made = migrate::convert_dynsec({reinterpret_cast<char const*>(data), size}, "dynsec.json", say, why);
    if (!made) return why.empty() ? std::abort(), 0 : 0;
    acl::ruleset rules;
    for (auto const& c : rules.parse(made->rules, "rules"))
        if (c.fatal) std::abort();
    std::vector<acl::complaint> said;
    acl::password_file::parse(made->passwords, said);
    for (auto const& c : said)
        if (c.text.find("is not hashed") != std::string::npos) std::abort();
    return 0;
}
