#include "broker/shard/timer_wheel.hpp"

#include <bit>
#include <cassert>

namespace airmail::shard {
namespace {

void unlink(detail::timer_link& l) noexcept {
    l.prev->next = l.next;
    l.next->prev = l.prev;
    l.prev = l.next = nullptr;
}

void append(detail::timer_link& head, detail::timer_link& l) noexcept {
    l.prev = head.prev;
    l.next = &head;
    head.prev->next = &l;
    head.prev = &l;
}

void make_empty(detail::timer_link& head) noexcept { head.prev = head.next = &head; }
bool empty(detail::timer_link const& head) noexcept { return head.next == &head; }

}

void timer::cancel() noexcept {
    if (armed()) unlink(*this);
}

timer_wheel::timer_wheel(instant now, std::int64_t tick) : tick_{tick}, now_{now}, current_{now / tick} {
    assert(tick >= 1 && tick <= 60000);
    for (auto& level : wheel_)
        for (auto& slot : level) make_empty(slot);
}

timer_wheel::~timer_wheel() {
    for (auto& level : wheel_)
        for (auto& slot : level)
            while (!empty(slot)) unlink(*slot.next);
}

void timer_wheel::arm(timer& t, instant due) noexcept {
    t.cancel();
    t.due_ = due;
    place(t, current_ + 1);  // never the tick that is being processed: that slot has been emptied
}

void timer_wheel::place(timer& t, std::int64_t earliest) noexcept {
    // Rounded up: late by less than a tick, never early.
    std::int64_t at = t.due_ <= 0 ? 0 : t.due_ / tick_ + (t.due_ % tick_ != 0);
    if (at < earliest) at = earliest;
    constexpr std::int64_t horizon = std::int64_t{1} << (bits * levels);
    if (at - current_ >= horizon) at = current_ + horizon - 1;  // looked at again when that slot comes round
    unsigned level = 0;
    while ((at - current_) >> (bits * (level + 1))) ++level;
    unsigned slot = static_cast<unsigned>(at >> (bits * level)) & (slots - 1);
    append(wheel_[level][slot], t);
    used_[level] |= std::uint64_t{1} << slot;
}

void timer_wheel::splice(head& from, head& to) noexcept {
    make_empty(to);
    if (empty(from)) return;
    to.next = from.next;
    to.prev = from.prev;
    to.next->prev = &to;
    to.prev->next = &to;
    make_empty(from);
}

void timer_wheel::cascade(unsigned level) {
    unsigned slot = static_cast<unsigned>(current_ >> (bits * level)) & (slots - 1);
    used_[level] &= ~(std::uint64_t{1} << slot);
    head moved;
    splice(wheel_[level][slot], moved);
    while (!empty(moved)) {
        auto& t = static_cast<timer&>(*moved.next);
        unlink(t);
        place(t, current_);  // the slot of this tick is fired after the cascade
    }
}

std::size_t timer_wheel::fire(head& slot) {
    // Taken off first: an action may arm into this very slot, a full turn ahead, or cancel a neighbour.
    head due;
    splice(slot, due);
    std::size_t fired = 0;
    while (!empty(due)) {
        auto& t = static_cast<timer&>(*due.next);
        unlink(t);
        ++fired;
        t.action_(t);
    }
    return fired;
}

std::size_t timer_wheel::advance(instant now) {
    if (now > now_) now_ = now;
    std::int64_t const target = now_ / tick_;
    std::size_t fired = 0;
    while (current_ < target) {
        instant const wake = next_wake();
        std::int64_t const next = wake == never ? target : wake / tick_;
        if (next > target) {
            current_ = target;
            break;
        }
        current_ = next > current_ ? next : current_ + 1;
        for (unsigned level = levels - 1; level > 0; --level)
            if ((current_ & ((std::int64_t{1} << (bits * level)) - 1)) == 0) cascade(level);
        unsigned const slot = static_cast<unsigned>(current_) & (slots - 1);
        used_[0] &= ~(std::uint64_t{1} << slot);
        fired += fire(wheel_[0][slot]);
    }
    return fired;
}

instant timer_wheel::next_wake() const noexcept {
    instant best = never;
    for (unsigned level = 0; level < levels; ++level) {
        std::int64_t const base = current_ >> (bits * level);
        while (used_[level]) {
            auto const first = static_cast<unsigned>(base + 1) & (slots - 1);
            auto const ahead = static_cast<unsigned>(std::countr_zero(std::rotr(used_[level], static_cast<int>(first))));
            unsigned const slot = (first + ahead) & (slots - 1);
            if (empty(wheel_[level][slot])) {
                used_[level] &= ~(std::uint64_t{1} << slot);
                continue;
            }
            instant const at = ((base + 1 + ahead) << (bits * level)) * tick_;
            if (at < best) best = at;
            break;
        }
    }
    return best;
}

}
