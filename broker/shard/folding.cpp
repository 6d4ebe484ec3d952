#include "broker/shard/folding.hpp"

#include "broker/log/metrics.hpp"

namespace airmail::shard {
namespace {

metrics::counter folds{"airmail_shard_folds_total", "Times one thread took over all shards because there was little to do."};
metrics::counter unfolds{"airmail_shard_unfolds_total", "Times all shards' threads got up again because there was more to do."};

std::int64_t ns(folding::clock::duration d) { return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count(); }

}

folding::folding(unsigned shards, double below, double above, std::chrono::milliseconds window)
    : shards_{shards}, below_{below}, above_{above}, window_{window}, cells_{std::make_unique<cell[]>(shards)},
      window_began_ns_{ns(clock::now().time_since_epoch())} {}

void folding::close() noexcept {
    std::lock_guard lock{judging_};
    open_ = false;
    folded_ = false;
}

bool folding::spent(unsigned i, clock::duration busy, clock::time_point now) noexcept {
    auto& mine = cells_[i].busy_ns;
    mine.store(mine.load(std::memory_order_relaxed) + ns(busy), std::memory_order_relaxed);
    auto const now_ns = ns(now.time_since_epoch());
    if (now_ns - window_began_ns_.load(std::memory_order_relaxed) < ns(window_)) return false;
    std::unique_lock lock{judging_, std::try_to_lock};
    auto const length = now_ns - window_began_ns_.load(std::memory_order_relaxed);
    if (!lock || length < ns(window_) || !open_) return false;
    std::int64_t sum = 0;
    for (unsigned s = 0; s < shards_; ++s) sum += cells_[s].busy_ns.load(std::memory_order_relaxed);
    double const part = static_cast<double>(sum - busy_before_ns_) / static_cast<double>(length);
    busy_before_ns_ = sum;
    window_began_ns_.store(now_ns, std::memory_order_relaxed);
    if (folded_) {
        if (part <= above_) return false;
        calm_ = 0;
        folded_ = false;
        unfolds.add();
        return true;
    }
    calm_ = part < below_ ? calm_ + 1 : 0;
    if (calm_ < calm_windows) return false;
    folded_ = true;
    folds.add();
    return false;
}

}
