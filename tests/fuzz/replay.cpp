// The main() of a fuzz target in a normal build: feeds it every file of the committed corpus, whole and cut in half, so
// that a fault once found stays found without clang.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

namespace {

/// Copies to an exact-size block first: a read past the end is then seen by the sanitizers.
void feed(std::vector<char> const& all, std::size_t size) {
    std::vector<std::uint8_t> const input(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size));
    LLVMFuzzerTestOneInput(input.data(), input.size());
}

}

int main(int argc, char** argv) {
    std::size_t count = 0;
    for (int i = 1; i < argc; ++i) {
        if (!std::filesystem::is_directory(argv[i])) continue;
        for (auto const& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
            if (!entry.is_regular_file()) continue;
            std::ifstream file(entry.path(), std::ios::binary);
            std::vector<char> const content{std::istreambuf_iterator<char>(file), {}};
            feed(content, content.size());
            feed(content, content.size() / 2);
            ++count;
        }
    }
    std::cout << "replayed " << count << " inputs\n";
    return count > 0 ? 0 : 1;  // an empty corpus tests nothing
}
