#include "broker/admin/transfers.hpp"

#include <vector>

namespace airmail::admin {

transfers::ticket::ticket(transfers& home, std::string token, std::function<void()> cut) : home_(&home), id_(home.next_++) {
    home.by_token_.emplace(token, id_);
    home.by_id_.emplace(id_, entry{std::move(token), std::move(cut)});
}

transfers::ticket& transfers::ticket::operator=(ticket&& o) noexcept {
    if (this != &o) {
        leave();
        home_ = o.home_;
        id_ = o.id_;
        o.home_ = nullptr;
    }
    return *this;
}

void transfers::ticket::leave() {
    if (!home_) return;
    auto found = home_->by_id_.find(id_);
    if (found != home_->by_id_.end()) {
        auto [from, to] = home_->by_token_.equal_range(found->second.token);
        for (auto i = from; i != to; ++i)
            if (i->second == id_) {
                home_->by_token_.erase(i);
                break;
            }
        home_->by_id_.erase(found);
    }
    home_ = nullptr;
}

std::size_t transfers::revoke(std::string_view token) {
    std::vector<std::function<void()>> cuts;  // collected first: a cut may destroy its ticket, which edits the maps
    auto [from, to] = by_token_.equal_range(std::string(token));
    for (auto i = from; i != to; ++i) cuts.push_back(std::move(by_id_.at(i->second).cut));
    std::size_t n = 0;
    for (auto& cut : cuts)
        if (cut) cut(), ++n;
    return n;
}

std::int64_t pacer::after(std::uint64_t sent, std::int64_t now_ms) {
    if (rate_ == 0) return 0;
    if (begin_ms_ < 0) begin_ms_ = now_ms;
    total_ += sent;
    auto const due = begin_ms_ + static_cast<std::int64_t>(total_ * 1000 / rate_) - 250;  // a quarter second of burst
    return due > now_ms ? due - now_ms : 0;
}

}
