// links: airmail::config
// A configuration file: whatever it says, findings are single lines, and what is accepted can be read by every getter.

#include "broker/config/limits.hpp"
#include "broker/config/logging.hpp"
#include "broker/config/parse.hpp"
#include "broker/config/reload.hpp"

#include <cstdlib>

using namespace airmail;

namespace {

void insist(bool truth) {
    if (!truth) std::abort();
}

void read_all(config::section const& s) {
    for (auto const& d : config::directives()) {
        switch (d.kind) {
        case config::type::flag: (void)s.flag(d.name); break;
        case config::type::count: (void)s.number(d.name); break;
        case config::type::size: (void)s.size(d.name); break;
        case config::type::duration:
        case config::type::expiry: (void)s.duration(d.name); break;
        case config::type::percent: insist(s.percent(d.name) >= 0 && s.percent(d.name) <= 100); break;
        case config::type::text:
        case config::type::path:
        case config::type::choice: (void)s.text(d.name); break;
        }
        if (d.repeats) (void)s.list(d.name);
        insist(!s.where(d.name).empty());
    }
}

}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    auto const c = config::parse_text({reinterpret_cast<char const*>(data), size}, "fuzz.conf");
    for (auto const& f : c.findings()) insist(!f.text.empty() && f.str().find('\n') == std::string::npos);
    insist(!c.listeners().empty());
    // Wrong values are not kept, so reading is safe even when something was wrong.
    read_all(c);
    for (auto const& l : c.listeners()) {
        read_all(l);
        auto const limits = config::limits_of(l);
        insist(limits.packet <= 268'435'460 && limits.packet_before_login <= limits.packet && limits.maximum_qos <= 2);
        insist(!l.device() || !l.allow_anonymous() || !c.ok());
    }
    (void)config::log_options(c, false, false, {});
    if (c.ok()) insist(config::differences(c, c).empty());
    return 0;
}
