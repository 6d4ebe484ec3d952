#pragma once
// What a mailbox carries: a move-only closure in 64 bytes, one cache line, so that a ring of them needs no allocation.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <concepts>
#include <new>
#include <type_traits>
#include <utility>

namespace airmail::shard {

namespace detail {
/// Counts a closure that was too big to be stored inline (airmail_shard_tasks_heap_total).
void count_heap_task() noexcept;
}

/// A closure to be called once, on another thread. Up to 56 bytes of captures are kept inline, more go to the heap and are
/// counted. Moved, never copied; an empty task must not be called.
class task {
public:
    static constexpr std::size_t inline_bytes = 56;

    task() noexcept = default;
    template <class F>
        requires(!std::same_as<std::remove_cvref_t<F>, task> && std::invocable<std::remove_cvref_t<F>&>)
    task(F&& f) {  // NOLINT: a task is made from any closure
        using closure = std::remove_cvref_t<F>;
        if constexpr (fits<closure>) {
            ::new (static_cast<void*>(room_)) closure(std::forward<F>(f));
            kind_ = &inline_kind<closure>;
        } else {
            detail::count_heap_task();
            ::new (static_cast<void*>(room_)) std::unique_ptr<closure>(new closure(std::forward<F>(f)));
            kind_ = &heap_kind<closure>;
        }
    }
    task(task&& other) noexcept { take(other); }
    task& operator=(task&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    ~task() { reset(); }

    explicit operator bool() const noexcept { return kind_ != nullptr; }
    /// Runs the closure. The captures live until the task is destroyed or assigned.
    void operator()() { kind_->call(room_); }

    /// Is a closure of this type kept without an allocation?
    template <class F>
    static constexpr bool fits =
        sizeof(F) <= inline_bytes && alignof(F) <= alignof(std::uint64_t) && std::is_nothrow_move_constructible_v<F>;

private:
    struct kind {
        void (*call)(std::byte*);
        void (*move)(std::byte* to, std::byte* from) noexcept;  // leaves `from` destroyed
        void (*destroy)(std::byte*) noexcept;
    };
    template <class F> static F& at(std::byte* p) { return *std::launder(reinterpret_cast<F*>(p)); }
    template <class F>
    static constexpr kind inline_kind{
        [](std::byte* p) { at<F>(p)(); },
        [](std::byte* to, std::byte* from) noexcept {
            ::new (static_cast<void*>(to)) F(std::move(at<F>(from)));
            at<F>(from).~F();
        },
        [](std::byte* p) noexcept { at<F>(p).~F(); }};
    template <class F>
    static constexpr kind heap_kind{
        [](std::byte* p) { (*at<std::unique_ptr<F>>(p))(); },
        [](std::byte* to, std::byte* from) noexcept {
            ::new (static_cast<void*>(to)) std::unique_ptr<F>(std::move(at<std::unique_ptr<F>>(from)));
            at<std::unique_ptr<F>>(from).~unique_ptr();
        },
        [](std::byte* p) noexcept { at<std::unique_ptr<F>>(p).~unique_ptr(); }};

    void take(task& other) noexcept {
        kind_ = std::exchange(other.kind_, nullptr);
        if (kind_) kind_->move(room_, other.room_);
    }
    void reset() noexcept {
        if (auto const* k = std::exchange(kind_, nullptr)) k->destroy(room_);
    }

    kind const* kind_ = nullptr;
    alignas(std::uint64_t) std::byte room_[inline_bytes];
};

static_assert(sizeof(task) == 64);

}
