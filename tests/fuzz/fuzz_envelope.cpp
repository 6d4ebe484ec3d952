// links: airmail::storage_firmware
// Everything signed that a device or the broker reads before it believes it: envelopes, the payloads inside, trailers of images.
#include "storage/firmware/command_envelope.hpp"
#include "storage/firmware/keys_json.hpp"
#include "storage/firmware/release_manifest.hpp"
#include "storage/firmware/semver.hpp"

#include <cstdlib>

using namespace airmail::storage::firmware;

namespace {

// What was read must write itself so that it reads the same.
template <class T>
void read_payload(std::string_view text) {
    auto one = T::parse(text);
    if (!one) return;
    auto written = one->to_json();
    auto two = T::parse(written);
    if (!two || two->to_json() != written) std::abort();
}

void read_payloads(std::string_view text) {
    read_payload<release_manifest>(text);
    read_payload<signed_command>(text);
    read_payload<key_list>(text);
    if (auto r = version_range::parse(text)) (void)r->contains(std::string_view("1.2.3-rc.1"));
}

}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view text(reinterpret_cast<char const*>(data), size);
    read_payloads(text);
    (void)parse_trailer({data, size}, size + 1000);
    if (auto e = envelope::parse(text)) {
        auto again = envelope::parse(e->to_json());
        if (!again || again->payload != e->payload || again->to_json() != e->to_json()) std::abort();
        // Nobody we trust has signed it.
        if (verify(*e, e->type, {})) std::abort();
        (void)verify_keys(*e, 0);
        read_payloads(e->payload);
    }
    return 0;
}
