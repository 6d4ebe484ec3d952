#include "broker/log/registry.hpp"

#include <bit>
#include <cassert>

namespace airmail::metrics {
namespace {

constexpr std::uint32_t void_cells = 64;   // cells that refused metrics write and nobody reads; >= the widest histogram
constexpr std::uint32_t cells_max = detail::chunk_cells * detail::chunk_count;

bool word(std::string_view s, bool colon) {
    if (s.empty() || (s[0] >= '0' && s[0] <= '9')) return false;
    for (char const c : s)
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (colon && c == ':'))) return false;
    return true;
}

/// Gives the block back when its thread ends.
struct lease {
    detail::block* held = nullptr;
    ~lease();
};
thread_local constinit bool ended = false;
thread_local lease my_lease;

lease::~lease() {
    ended = true;
    detail::mine = nullptr;
    if (!held) return;
    auto& r = registry::instance();
    std::lock_guard hold{r.lock};
    r.spare.push_back(held);
}

}

registry& registry::instance() {
    static auto* r = new registry;   // never destroyed: statics of other files count until the very end
    return *r;
}

registry::registry() : next{void_cells} {}

std::atomic<std::uint64_t>* detail::slow_cell(std::uint32_t id) noexcept try {
    static auto* lost = new chunk;   // a thread that is past its end, or memory that is not there: counted nowhere
    if (ended) return &lost->cells[id % chunk_cells];
    auto& r = registry::instance();
    std::lock_guard hold{r.lock};
    if (!mine) {
        block* b = nullptr;
        if (!r.spare.empty()) b = r.spare.back(), r.spare.pop_back();
        else b = r.blocks.emplace_back(std::make_unique<block>()).get();
        my_lease.held = mine = b;
    }
    auto& slot = mine->chunks[id / chunk_cells];
    if (!slot.load(std::memory_order_relaxed)) slot.store(new chunk, std::memory_order_release);
    return &slot.load(std::memory_order_relaxed)->cells[id % chunk_cells];
} catch (...) {
    static chunk lost;
    return &lost.cells[id % chunk_cells];
}

std::uint64_t detail::sum(std::uint32_t id) noexcept {
    auto& r = registry::instance();
    std::lock_guard hold{r.lock};
    return r.sum_locked(id);
}

std::uint64_t registry::sum_locked(std::uint32_t id) const noexcept {
    std::uint64_t total = 0;
    for (auto const& b : blocks)
        if (auto* c = b->chunks[id / detail::chunk_cells].load(std::memory_order_acquire))
            total += c->cells[id % detail::chunk_cells].load(std::memory_order_relaxed);
    return total;
}

family* registry::family_for(kind k, std::string_view name, std::string_view help, labels const& l) {
    bool good = word(name, true) && !help.empty();
    for (auto const& [key, value] : l) good = good && word(key, false) && key != "le";
    auto [at, fresh] = good ? families.try_emplace(std::string{name}) : std::pair{families.end(), false};
    if (!good || (!fresh && at->second.what != k)) {
        ++refused;
        return nullptr;
    }
    if (fresh) at->second.what = k, at->second.help = help;
    return &at->second;
}

std::uint32_t detail::enrol(kind k, std::string_view name, std::string_view help, labels l, std::vector<double> bounds) {
    auto& r = registry::instance();
    std::lock_guard hold{r.lock};
    auto* f = r.family_for(k, name, help, l);
    if (!f) return 0;
    for (auto const& s : f->cells)
        if (s.marks == l) return s.bounds == bounds ? s.id : (++r.refused, 0);
    auto const width = static_cast<std::uint32_t>(k == kind::histogram ? bounds.size() + 2 : 1);
    if (r.next + width > cells_max) {
        ++r.refused;
        return 0;
    }
    auto const id = r.next;
    r.next += width;
    f->cells.push_back({std::move(l), id, std::move(bounds)});
    return id;
}

histogram::histogram(std::string_view name, std::string_view help, std::initializer_list<double> bounds, labels l) : bounds_{bounds} {
    assert(bounds_.size() <= 30);
    if (bounds_.size() > 30) bounds_.resize(30);
    id_ = detail::enrol(kind::histogram, name, help, std::move(l), bounds_);
}

void histogram::observe(double v) noexcept {
    std::uint32_t bucket = 0;
    while (bucket < bounds_.size() && !(v <= bounds_[bucket])) ++bucket;
    auto& c = detail::cell(id_ + bucket);
    c.store(c.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    // The sum is kept as the bits of a double: each thread has its own, so no exchange is needed.
    auto& s = detail::cell(id_ + static_cast<std::uint32_t>(bounds_.size()) + 1);
    s.store(std::bit_cast<std::uint64_t>(std::bit_cast<double>(s.load(std::memory_order_relaxed)) + v), std::memory_order_relaxed);
}

std::uint64_t histogram::count() const noexcept {
    std::uint64_t n = 0;
    for (std::uint32_t i = 0; i <= bounds_.size(); ++i) n += detail::sum(id_ + i);
    return n;
}

probe::probe(kind k, std::string_view name, std::string_view help, std::function<double()> read, labels l) {
    assert(k != kind::histogram);
    auto& r = registry::instance();
    auto made = std::make_shared<probed>(probed{std::move(l), std::move(read)});
    {
        std::lock_guard hold{r.lock};
        auto* f = r.family_for(k, name, help, made->marks);
        if (!f) return;
        f->probes.push_back(made);
    }
    registration_ = std::shared_ptr<void>(made.get(), [made, key = std::string{name}](void*) mutable {
        auto& r = registry::instance();
        std::scoped_lock hold{r.probing, r.lock};   // not while a scrape calls it
        if (auto at = r.families.find(key); at != r.families.end()) std::erase(at->second.probes, made);
    });
}

}
