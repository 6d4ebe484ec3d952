#include "storage/replicate/cluster_slots.hpp"

namespace airmail::storage::replicate {
namespace {

std::uint16_t crc16(std::string_view s) {
    std::uint16_t crc = 0;
    for (unsigned char c : s) {
        crc = static_cast<std::uint16_t>(crc ^ (c << 8));
        for (int bit = 0; bit < 8; ++bit) crc = static_cast<std::uint16_t>(crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1);
    }
    return crc;
}

}

std::uint16_t slot_of(std::string_view key) {
    if (auto open = key.find('{'); open != key.npos)
        if (auto close = key.find('}', open + 1); close != key.npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
    return crc16(key) & 16383;
}

std::optional<std::vector<slot_range>> read_slots(redis_reply const& r, redis_endpoint const& asked) {
    using kind = redis_reply::kind;
    if (r.what != kind::list) return std::nullopt;
    std::vector<slot_range> out;
    for (auto const& range : r.list) {
        if (range.list.size() < 3 || range.list[2].list.size() < 2) return std::nullopt;
        auto const& first = range.list[0];
        auto const& last = range.list[1];
        auto const& node = range.list[2].list;
        if (first.number < 0 || last.number > 16383 || first.number > last.number || node[1].number < 1 || node[1].number > 65535) return std::nullopt;
        out.push_back({static_cast<std::uint16_t>(first.number), static_cast<std::uint16_t>(last.number),
                       {node[0].text.empty() ? asked.host : node[0].text, std::to_string(node[1].number)}});
    }
    return out;
}

std::optional<redirection> read_redirection(std::string_view error, redis_endpoint const& asked) {
    bool const ask = error.starts_with("ASK ");
    if (!ask && !error.starts_with("MOVED ")) return std::nullopt;
    auto const blank = error.rfind(' '), colon = error.rfind(':');
    if (colon == error.npos || colon < blank || colon + 1 >= error.size()) return std::nullopt;
    redirection out{ask, {std::string(error.substr(blank + 1, colon - blank - 1)), std::string(error.substr(colon + 1))}};
    if (out.to.host.empty()) out.to.host = asked.host;
    return out;
}

}
