// Writes the packet table as seeds (framer, packets, session): packet_corpus tests/fuzz/corpus

#include "tests/support/packet_bytes.hpp"
#include "tests/support/packets.hpp"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

using namespace airmail;

namespace {

void write(std::filesystem::path const& path, byte_view content) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<char const*>(content.data()), static_cast<std::streamsize>(content.size()));
}

}

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: packet_corpus DIRECTORY\n";
        return 2;
    }
    std::filesystem::path const to = argv[1];
    bytes stream;
    int row = 0;
    for (auto const& c : test::packet_table) {
        auto const whole = test::packet(c.notation);
        auto const name = "table_" + std::to_string(1000 + row++).substr(1);
        // fuzz_packets' first byte: version (value % 3), sender (high bit).
        unsigned const version = static_cast<unsigned>(c.v) - 3;
        unsigned const choice = c.from == codec::sender::client ? version : 0x80 + (version + 1) % 3;
        bytes seed{static_cast<std::uint8_t>(choice)};
        seed.insert(seed.end(), whole.begin(), whole.end());
        write(to / "packets" / name, seed);
        if (c.expected == codec::reason::success && c.v == codec::version::v5) stream.insert(stream.end(), whole.begin(), whole.end());
        // fuzz_session: a client of that version connects and sends the packet.
        if (c.from == codec::sender::client && whole.size() > 2 && whole.size() < 90 && whole[0] >> 4 != 1) {
            constexpr std::uint8_t greeting[] = {0x12, 0x10, 0x11};
            bytes play{0x00, greeting[version], 0x00, 0x0F, whole[0], static_cast<std::uint8_t>(whole.size() - 2)};
            play.insert(play.end(), whole.begin() + 2, whole.end());
            write(to / "session" / name, play);
        }
        if (c.expected != codec::reason::success && row % 4 == 0) write(to / "framer" / name, whole);
    }
    write(to / "framer" / "stream", stream);
}
