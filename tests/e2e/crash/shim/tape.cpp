#include "tests/e2e/crash/shim/tape.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace airmail::testing {

namespace {

void apply(disk_image& to, taped const& t, std::size_t most = SIZE_MAX) {
    auto& file = to[t.head.name];
    if (t.head.op == shim_truncate) return file.resize(t.head.offset);
    auto const n = std::min<std::size_t>(t.data.size(), most);
    if (file.size() < t.head.offset + n) file.resize(t.head.offset + n);
    std::memcpy(file.data() + t.head.offset, t.data.data(), n);
}

/// Which records up to `number` are covered by a sync that ended by then.
std::vector<bool> covered(std::vector<taped> const& tape, std::uint64_t number) {
    std::vector<bool> c(tape.size(), false);
    std::map<std::string, std::uint64_t> synced;   // file -> everything before this record is on the disk
    for (auto const& t : tape) {
        if (t.head.number > number) break;
        if (t.head.op != shim_sync_ends) continue;
        if (t.head.dsync) c[t.head.offset - 1] = true;
        else synced[t.head.name] = std::max(synced[t.head.name], t.head.offset);
    }
    for (std::size_t i = 0; i < tape.size() && tape[i].head.number <= number; ++i)
        if (auto const s = synced.find(tape[i].head.name); s != synced.end() && tape[i].head.number < s->second) c[i] = true;
    return c;
}

}

std::vector<taped> read_tape(std::string const& file) {
    std::ifstream in(file, std::ios::binary);
    std::vector<taped> all;
    for (taped t; in.read(reinterpret_cast<char*>(&t.head), sizeof t.head);) {
        t.data.resize(t.head.size);
        if (t.head.size && !in.read(t.data.data(), t.head.size)) break;   // killed in the middle of a record: it never happened
        if (t.head.number != all.size() + 1) throw std::runtime_error("the tape has a gap");
        all.push_back(t);
    }
    return all;
}

power_cut cut_at(std::vector<taped> const& tape, std::uint64_t number) {
    power_cut cut;
    auto const safe = covered(tape, number);
    for (std::size_t i = 0; i < tape.size() && tape[i].head.number <= number; ++i) {
        auto const& t = tape[i];
        switch (t.head.op) {
        case shim_write:
        case shim_truncate:
            if (safe[i]) apply(cut.certain, t);
            else cut.pending.push_back(&t);
            break;
        case shim_create: cut.certain[t.head.name].clear(); break;
        case shim_rename:
            cut.certain[t.data.data()] = std::move(cut.certain[t.head.name]);
            cut.certain.erase(t.head.name);
            break;
        case shim_unlink: cut.certain.erase(t.head.name); break;
        default: break;
        }
    }
    return cut;
}

disk_image power_cut::with(std::vector<std::size_t> const& through, std::size_t torn) const {
    auto image = certain;
    for (auto i : through) apply(image, *pending[i], i == through.back() ? torn : SIZE_MAX);
    return image;
}

void lay_out(disk_image const& image, std::string const& directory) {
    namespace fs = std::filesystem;
    fs::remove_all(directory);
    fs::create_directories(directory);   // before the first sync there was perhaps no file
    for (auto const& [name, bytes] : image) {
        auto const file = fs::path(directory) / name;
        fs::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
    }
    for (auto const& e : fs::recursive_directory_iterator(directory))
        if (e.is_directory()) fs::permissions(e.path(), fs::perms::owner_all);
    fs::permissions(directory, fs::perms::owner_all);
}

}
