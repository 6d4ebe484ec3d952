// links: airmail::codec
// One byte chooses version and sender, the rest is a packet: what is accepted survives our own encoder unchanged in meaning,
// and a PUBLISH also the router's way out.

#include "tests/support/packet_text.hpp"

#include <cstdlib>

using namespace airmail;
using namespace airmail::test;

namespace {

void insist(bool truth) {
    if (!truth) std::abort();
}

/// Encodes as a router does and reads it back: topic, payload and what travels on are the same.
void forward(codec::publish_view const& p, codec::version v) {
    bytes scratch, out;
    codec::publish_parts parts{.qos = p.qos, .packet_id = p.packet_id, .topic = p.topic.empty() ? "t" : p.topic};
    parts.forwarded = codec::forwardable_properties(p.raw_props, p.props.present, scratch);
    parts.payload_size = p.payload.size();
    codec::encode_publish_header(out, parts, v);
    out.insert(out.end(), p.payload.begin(), p.payload.end());
    insist(out.size() == codec::publish_size(parts, v));
    auto const f = codec::next_frame(out, v);
    insist(f && f->size == out.size());
    auto const back = codec::decode_publish(f->flags, f->body, v, codec::sender::server);
    insist(back && back->topic == parts.topic && as_text(back->payload) == as_text(p.payload));
    if (v == codec::version::v5) insist((back->props.present & codec::allowed::forwarded) == (p.props.present & codec::allowed::forwarded));
}

struct forward_publish {
    codec::version v;
    void operator()(codec::publish_view const& p) const { forward(p, v); }
    void operator()(auto const&) const {}
};

}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    if (size < 3) return 0;
    auto const v = static_cast<codec::version>(3 + data[0] % 3);
    auto const from = data[0] & 0x80 ? codec::sender::server : codec::sender::client;
    byte_view const whole{data + 1, size - 1};
    auto const first = describe(whole, v, from);
    if (!first) {
        insist(first.error() != codec::reason::success);
        return 0;
    }
    if (v == codec::version::v31) return 0;  // cannot repeat a SUBACK's failure
    auto const f = codec::next_frame(whole, v);
    bytes out;
    visit_packet(*f, v, from, encode_any{out, v});
    visit_packet(*f, v, from, forward_publish{v});
    auto const second = describe(out, v, from);
    insist(second && *first == *second);
    return 0;
}
