// links: airmail::storage_firmware
// The target of an HTTP request, as any stranger on 8443 may send it. Whatever is accepted must be what we would have signed.
#include "storage/firmware/signed_url.hpp"

#include <cstdlib>

using namespace airmail::storage::firmware;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    static auto const ring = [] {
        url_key k;
        k.kid = "aabbccdd";
        k.secret.fill(1);
        return url_key_ring::with({k});
    }();
    std::string_view target(reinterpret_cast<char const*>(data), size);
    auto g = verify_url(ring, "GET", target, 1000);
    if (g) {
        auto again = sign_url(ring, *g);
        // The same parts, in whatever order they came.
        if (!again || again->size() != target.size() || again->substr(0, 68) != target.substr(0, 68)) std::abort();
    }
    (void)redact_url(target);
    return 0;
}
