// links: airmail::storage_replicate
// What a Redis or a cluster may send us, and what an operator may write as its address: replies of any shape to CLUSTER SLOTS,
// redirections, URLs. Slots stay in range, and no password of a URL is repeated.

#include "storage/replicate/cluster_slots.hpp"
#include "storage/replicate/redis_client.hpp"
#include "storage/replicate/tables.hpp"

#include <cstdlib>

using namespace airmail::storage::replicate;

namespace {

void insist(bool truth) {
    if (!truth) std::abort();
}

/// A reply made of the bytes: kind, then its contents, lists inside lists.
redis_reply take(std::string_view& in, int deep) {
    redis_reply r;
    if (in.empty()) return r;
    r.what = static_cast<redis_reply::kind>(static_cast<unsigned char>(in[0]) % 6);
    in.remove_prefix(1);
    if (r.what == redis_reply::kind::list && deep < 6)
        for (int n = in.empty() ? 0 : static_cast<unsigned char>(in[0]) % 8; n > 0 && !in.empty(); --n) r.list.push_back(take(in, deep + 1));
    auto const n = std::min<std::size_t>(in.size(), 5);
    r.text = in.substr(0, n);
    for (char c : r.text) r.number = r.number * 256 + c;
    in.remove_prefix(n);
    return r;
}

}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view const text(reinterpret_cast<char const*>(data), size);
    insist(slot_of(text) < 16384);
    redis_endpoint const asked{"h", "1"};
    if (auto to = read_redirection(text, asked)) insist(!to->to.host.empty() && !to->to.port.empty());
    redis_options o;
    if (parse_redis_url(text, o).empty()) {
        insist(!o.at.empty());
        for (auto const& e : o.at) insist(!e.host.empty());
    }
    (void)checked_words(text);
    auto rest = text;
    if (auto slots = read_slots(take(rest, 0), asked))
        for (auto const& s : *slots) insist(s.first <= s.last && s.last < 16384 && !s.master.host.empty());
    return 0;
}
