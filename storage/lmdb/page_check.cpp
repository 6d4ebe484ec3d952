#include "storage/lmdb/page_check.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace airmail::storage::lmdb {

namespace {

using page_number = std::uint64_t;
constexpr page_number no_page = ~page_number{0};
constexpr std::size_t page_head = 16, node_head = 8, depth_most = 32;
constexpr std::uint16_t branch_page = 0x01, leaf_page = 0x02, overflow_page = 0x04, meta_page = 0x08, kinds = 0x2F;
constexpr std::uint16_t big_data = 0x01, sub_tree = 0x02, dup_data = 0x04;

template <class T> T at(char const* p) {
    T v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

/// MDB_db.
struct tree {
    std::uint16_t flags = 0, depth = 0;
    std::uint64_t branches = 0, leaves = 0, overflows = 0, entries = 0;
    page_number root = no_page;
    static constexpr std::size_t bytes = 48;
    static tree read(char const* p) {
        return {at<std::uint16_t>(p + 4), at<std::uint16_t>(p + 6), at<std::uint64_t>(p + 8), at<std::uint64_t>(p + 16), at<std::uint64_t>(p + 24), at<std::uint64_t>(p + 32), at<std::uint64_t>(p + 40)};
    }
};

struct meta {
    std::uint64_t transaction = 0, last_page = 0;
    std::uint32_t page_bytes = 0;
    tree free, main;
};

struct unsound { std::string what; };   // thrown inside this file only

class checker {
public:
    checker(int fd, std::uint64_t file_bytes) : fd_(fd), file_bytes_(file_bytes) {}

    void run() {
        auto const m = newest();
        bytes_ = m.page_bytes;
        if (m.last_page >= file_bytes_ / 512) bad(0, "the last page lies beyond the end of the file");
        last_ = m.last_page;
        taken_.assign(last_ + 1, false);
        buffers_.resize(depth_most + 1);
        integers_ = true, free_list_ = true;
        walk_tree(m.free);
        integers_ = free_list_ = false, main_ = true;
        walk_tree(m.main);
        main_ = false;
        for (auto const& t : tables_) walk_tree(t);
        for (auto p : free_) take(p, 1, "a free page");
    }

private:
    [[noreturn]] void bad(page_number p, std::string const& what) const { throw unsound{"page " + std::to_string(p) + ": " + what}; }

    void read(page_number p, std::size_t size, std::vector<char>& to) const {
        to.resize(size);
        auto const from = p * bytes_;
        if (from + size > file_bytes_) bad(p, "the file ends before it (" + std::to_string(file_bytes_) + " bytes)");
        for (std::size_t n = 0; n < size;) {
            auto const got = ::pread(fd_, to.data() + n, size - n, static_cast<off_t>(from + n));
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) bad(p, got < 0 ? std::strerror(errno) : "the file ends before it");
            n += static_cast<std::size_t>(got);
        }
    }

    meta read_root(page_number p) {
        std::vector<char> b;
        read(p, 152, b);
        if (at<std::uint16_t>(b.data() + 10) != meta_page || at<page_number>(b.data()) != p) bad(p, "not a root page");
        if (at<std::uint32_t>(b.data() + 16) != 0xBEEFC0DE || at<std::uint32_t>(b.data() + 20) != 1) bad(p, "not a root page of LMDB's data version 1");
        auto const size = at<std::uint32_t>(b.data() + 40);
        if (size < 512 || size > 65536 || (size & (size - 1))) bad(p, "a page size of " + std::to_string(size));
        if (at<std::uint64_t>(b.data() + 32) >> 46) bad(p, "a map of more than 64 TiB");
        if (at<std::uint16_t>(b.data() + 44) != 0x08 || at<std::uint16_t>(b.data() + 92) != 0) bad(p, "flags that are not ours");
        return {at<std::uint64_t>(b.data() + 144), at<std::uint64_t>(b.data() + 136), size, tree::read(b.data() + 40), tree::read(b.data() + 88)};
    }

    /// Root pages take turns, so they are one transaction apart: anything else has been changed by somebody else, and the older
    /// root would be taken for the newer.
    meta newest() {
        bytes_ = 4096;
        auto const first = read_root(0);
        bytes_ = first.page_bytes;
        auto const second = read_root(1);
        if (second.page_bytes != first.page_bytes) bad(1, "another page size than page 0");
        auto const a = first.transaction, b = second.transaction;
        bool const fresh = a == 0 && b == 0;
        if (!fresh && (a + 1 != b && b + 1 != a)) bad(a > b ? 0 : 1, "transaction numbers " + std::to_string(a) + " and " + std::to_string(b) + " do not follow each other");
        if (!fresh && (a % 2 != 0 || b % 2 != 1)) bad(0, "transaction numbers stand in the wrong places");
        return a > b ? first : second;
    }

    void take(page_number p, std::uint64_t n, char const* as) {
        if (p < 2 || p > last_ || n > last_ - p + 1) bad(p, std::string{"is named as "} + as + " and there is no such page");
        for (auto i = p; i < p + n; ++i) {
            if (taken_[i]) bad(i, std::string{"is named twice, now as "} + as);
            taken_[i] = true;
        }
    }

    void walk_tree(tree const& t) {
        if (t.root == no_page) {
            if (t.entries) bad(0, "a tree without a root has entries");
            return;
        }
        if (t.depth == 0 || t.depth > depth_most) bad(t.root, "a tree " + std::to_string(t.depth) + " deep");
        counted_ = {};
        last_key_.clear(), least_.clear(), any_key_ = false;
        walk(t.root, 1, t.depth);
        if (counted_.branches != t.branches || counted_.leaves != t.leaves || counted_.overflows != t.overflows || counted_.entries != t.entries)
            bad(t.root, "its tree has " + std::to_string(counted_.entries) + " entries where " + std::to_string(t.entries) + " were written, or other pages");
    }

    void walk(page_number p, std::size_t level, std::size_t depth) {
        take(p, 1, level == depth ? "a leaf" : "a branch");
        auto& b = buffers_[level];
        read(p, bytes_, b);
        bool const leaf = level == depth;
        if (at<page_number>(b.data()) != p) bad(p, "another page's number stands on it");
        if ((at<std::uint16_t>(b.data() + 10) & kinds) != (leaf ? leaf_page : branch_page)) bad(p, leaf ? "not a leaf" : "not a branch");
        std::size_t const lower = at<std::uint16_t>(b.data() + 12), upper = at<std::uint16_t>(b.data() + 14);
        if (lower < page_head || lower % 2 || lower > upper || upper > bytes_) bad(p, "its bounds are not a page's");
        auto const n = (lower - page_head) / 2;
        if (n < (leaf ? 1u : 2u)) bad(p, "has " + std::to_string(n) + " nodes");
        ++(leaf ? counted_.leaves : counted_.branches);
        for (std::size_t i = 0; i < n; ++i) {
            std::size_t const from = at<std::uint16_t>(b.data() + page_head + 2 * i);
            if (from < upper || from + node_head > bytes_) bad(p, "a node lies outside of it");
            std::size_t const key_size = at<std::uint16_t>(b.data() + from + 6);
            if (from + node_head + key_size > bytes_) bad(p, "a key reaches beyond it");
            std::string_view const key{b.data() + from + node_head, key_size};
            if (leaf) take_leaf(p, b, from, key);
            else take_branch(p, b, from, key, i, level, depth);
        }
    }

    int compare(page_number p, std::string_view a, std::string_view b) const {
        if (!integers_) return a.compare(b);
        if (a.size() != 8 || b.size() != 8) bad(p, "a key that is no number");
        auto const x = at<std::uint64_t>(a.data()), y = at<std::uint64_t>(b.data());
        return x < y ? -1 : x > y;
    }

    void take_branch(page_number p, std::vector<char> const& b, std::size_t from, std::string_view key, std::size_t i, std::size_t level, std::size_t depth) {
        auto const child = page_number{at<std::uint16_t>(b.data() + from)} | page_number{at<std::uint16_t>(b.data() + from + 2)} << 16 | page_number{at<std::uint16_t>(b.data() + from + 4)} << 32;
        if (i > 0) {   // the first key of a branch says nothing
            if (any_key_ && compare(p, last_key_, key) >= 0) bad(p, "keys are not in order");
            least_.assign(key), has_least_ = true;
        }
        walk(child, level + 1, depth);
    }

    void take_leaf(page_number p, std::vector<char> const& b, std::size_t from, std::string_view key) {
        if (any_key_ && compare(p, last_key_, key) >= 0) bad(p, "keys are not in order");
        if (std::exchange(has_least_, false) && compare(p, least_, key) > 0) bad(p, "a key that belongs to another page");
        if (key.empty() || key.size() > 511) bad(p, "a key of " + std::to_string(key.size()) + " bytes");
        last_key_.assign(key), any_key_ = true;
        ++counted_.entries;
        std::size_t const size = at<std::uint16_t>(b.data() + from) | std::size_t{at<std::uint16_t>(b.data() + from + 2)} << 16;
        auto const flags = at<std::uint16_t>(b.data() + from + 4);
        auto const value = from + node_head + key.size();
        if (flags & dup_data || flags > 7 || (flags & sub_tree && !main_)) bad(p, "a node of a kind that is not ours");
        if (!(flags & big_data)) {
            if (value + size > bytes_) bad(p, "a value reaches beyond it");
            return take_value(p, b.data() + value, size, flags);
        }
        if (value + 8 > bytes_) bad(p, "a value reaches beyond it");
        auto const first = at<page_number>(b.data() + value);
        std::uint64_t const pages = (page_head - 1 + size) / bytes_ + 1;
        take(first, pages, "a long value");
        read(first, free_list_ ? page_head + size : page_head, long_);
        if (at<page_number>(long_.data()) != first || (at<std::uint16_t>(long_.data() + 10) & kinds) != overflow_page || at<std::uint32_t>(long_.data() + 12) != pages)
            bad(first, "not the long value that page " + std::to_string(p) + " names");
        if (first * bytes_ + page_head + size > file_bytes_) bad(first, "the file ends within it");
        counted_.overflows += pages;
        if (free_list_) take_value(p, long_.data() + page_head, size, flags);
    }

    void take_value(page_number p, char const* value, std::size_t size, std::uint16_t flags) {
        if (main_) {
            // Under another name it would be missed, and an empty one made in its place.
            auto const ours = {"log", "ref", "slot", "meta"};
            if (std::find(ours.begin(), ours.end(), last_key_) == ours.end()) bad(p, "a table that is not ours");
            if (!(flags & sub_tree) || size != tree::bytes) bad(p, "a table that is none");
            tables_.push_back(tree::read(value));
            if (tables_.back().flags & ~0x8000u) bad(p, "a table of a kind that is not ours");
        } else if (free_list_) {
            if (size < 8 || at<std::uint64_t>(value) > size / 8 - 1) bad(p, "a list of free pages that is too long");
            auto const n = at<std::uint64_t>(value);
            for (std::uint64_t i = 1; i <= n; ++i) free_.push_back(at<page_number>(value + 8 * i));
        }
    }

    int fd_;
    std::uint64_t file_bytes_, last_ = 0;
    std::uint32_t bytes_ = 4096;
    bool integers_ = false, free_list_ = false, main_ = false, any_key_ = false, has_least_ = false;
    std::vector<bool> taken_;
    std::vector<std::vector<char>> buffers_;   // one page a level
    std::vector<char> long_;
    std::string last_key_, least_;
    tree counted_;
    std::vector<tree> tables_;
    std::vector<page_number> free_;
};

}

boost::system::result<void> check_pages(std::string const& directory, std::string& why) {
    int const fd = ::open((directory + "/data.mdb").c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT) return {};
        return why = directory + "/data.mdb: " + std::strerror(errno), errc::io;
    }
    struct stat s {};
    boost::system::result<void> out;
    try {
        if (::fstat(fd, &s) == 0 && s.st_size > 0) checker{fd, static_cast<std::uint64_t>(s.st_size)}.run();
    } catch (unsound const& u) {
        why = directory + "/data.mdb: " + u.what + ". The store is damaged: put a backup in its place (airmailctl restore --replace), or move " + directory +
              " aside to begin with an empty store";
        out = errc::damaged;
    }
    ::close(fd);
    return out;
}

}
