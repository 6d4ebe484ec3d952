// links: airmail::codec
// A stream of bytes: whatever arrives, frames never reach past the buffer, and waiting for `need` bytes makes progress.

#include "broker/codec/framer.hpp"

#include <cstdlib>

using namespace airmail;

namespace {

void insist(bool truth) {
    if (!truth) std::abort();
}

void walk(byte_view in, codec::version v, std::size_t maximum) {
    while (true) {
        auto const f = codec::next_frame(in, v, maximum);
        if (!f) return insist(codec::failed(f.error()));
        if (!f->complete()) return insist(f->need > 0 && in.size() + f->need <= codec::packet_size_max);
        insist(f->size >= 2 && f->size <= in.size() && f->size <= maximum);
        insist(f->body.size() < f->size && f->body.data() + f->body.size() == in.data() + f->size);
        in = in.subspan(f->size);
    }
}

}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    for (auto v : {codec::version::v5, codec::version::v311, codec::version::v31}) walk({data, size}, v, codec::packet_size_max);
    walk({data, size}, codec::version::v5, 40);
    return 0;
}
