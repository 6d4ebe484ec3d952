// links: airmail::net
// The PROXY header of either version: what a stranger can send before anything is known of him.
#include "broker/net/proxy_protocol.hpp"

#include <algorithm>
#include <cstdlib>

using namespace airmail;
using namespace airmail::net;

namespace {

void read_as(byte_view in, unsigned version) {
    auto const all = parse_proxy_header(in, version);
    if (all.is == proxy_header::verdict::whole && (all.size == 0 || all.size > in.size())) std::abort();
    if (all.is == proxy_header::verdict::more && all.more == 0) std::abort();
    // Read as newcomer reads, never more than asked for: the same end, and not one byte of the peer's.
    std::size_t at = 0;
    for (;;) {
        auto const h = parse_proxy_header(in.first(at), version);
        if (h.is == proxy_header::verdict::more && at < in.size()) {
            if (h.more > proxy_header_bytes_max) std::abort();
            at += std::min(h.more, in.size() - at);
            continue;
        }
        if (h.is == proxy_header::verdict::whole && (at != h.size || h.size != all.size || h.peer.source.address != all.peer.source.address)) std::abort();
        // Malformed may be told earlier or later, but a whole header never turns into another verdict.
        if (all.is == proxy_header::verdict::whole && h.is != proxy_header::verdict::whole) std::abort();
        return;
    }
}

}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    read_as({data, size}, 1);
    read_as({data, size}, 2);
    std::string_view const text{reinterpret_cast<char const*>(data), size};
    (void)address_range::parse(text);
    return 0;
}
