// The only file that knows spdlog: its bounded queue, its thread, its syslog sink.

#include "broker/log/line.hpp"
#include "broker/log/metrics.hpp"

#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/syslog_sink.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <syslog.h>
#include <unistd.h>

#ifdef __SANITIZE_THREAD__
// Debian's libspdlog is not instrumented: its reference counts look like races with ours.
extern "C" __attribute__((visibility("default"))) char const* __tsan_default_suppressions();
extern "C" char const* __tsan_default_suppressions() { return "race:spdlog::details::thread_pool\n"; }
#endif

namespace airmail::log {
namespace {

/// Writes whole lines to a descriptor. A line that cannot be written is lost and counted: logging never stops the broker.
class descriptor_sink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    descriptor_sink(int fd, std::string path) : fd_{fd}, path_{std::move(path)} {}
    ~descriptor_sink() override { if (!path_.empty() && fd_ >= 0) ::close(fd_); }
    static int open(std::string const& path) { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640); }
    void reopen() {
        if (path_.empty()) return;
        int const fresh = open(path_);
        if (fresh < 0) return;   // rather the old file than none
        std::lock_guard hold{mutex_};
        ::close(fd_);
        fd_ = fresh;
    }

private:
    void sink_it_(spdlog::details::log_msg const& m) override {
        std::string line{m.payload.data(), m.payload.size()};
        line += '\n';
        for (std::string_view left = line; !left.empty();) {
            auto const n = ::write(fd_, left.data(), left.size());
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return lost.add();
            left.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    void flush_() override {}

    static inline metrics::counter lost{"airmail_log_lines_unwritten_total", "Log lines that a destination did not take."};
    int fd_;
    std::string path_;
};

using line_call = std::function<void(level, std::string_view)>;
constexpr level from_spdlog(spdlog::level::level_enum l) {
    if (l <= spdlog::level::debug) return level::debug;
    if (l == spdlog::level::info) return level::info;
    return l == spdlog::level::warn ? level::warn : level::error;
}

class call_sink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit call_sink(line_call f) : call_{std::move(f)} {}

private:
    void sink_it_(spdlog::details::log_msg const& m) override { call_(from_spdlog(m.level), {m.payload.data(), m.payload.size()}); }
    void flush_() override {}
    line_call call_;
};

/// The lines themselves are complete: spdlog must add nothing.
class bare final : public spdlog::formatter {
public:
    void format(spdlog::details::log_msg const& m, spdlog::memory_buf_t& out) override { out.append(m.payload.data(), m.payload.data() + m.payload.size()); }
    std::unique_ptr<formatter> clone() const override { return std::make_unique<bare>(); }
};

/// What a line needs to be made and sent. Immutable once published; the pool dies, drained, with the last user.
struct backend {
    options how;
    std::shared_ptr<spdlog::details::thread_pool> pool;
    std::shared_ptr<spdlog::async_logger> logger;
    std::vector<std::shared_ptr<descriptor_sink>> files;
};

struct global {
    std::mutex lock;
    std::shared_ptr<backend const> now;
    std::uint64_t earlier_overruns = 0;
};
global& state() {
    static auto* g = new global;   // never destroyed: other statics may log on their way out
    return *g;
}

std::shared_ptr<backend const> current() {
    auto& g = state();
    std::lock_guard hold{g.lock};
    return g.now;
}

void replace(std::shared_ptr<backend const> fresh) {
    auto& g = state();
    std::shared_ptr<backend const> old;
    {
        std::lock_guard hold{g.lock};
        old = std::exchange(g.now, std::move(fresh));
        if (old) g.earlier_overruns += old->pool->overrun_counter();
    }
    // Here the last reference may go: the pool drains its queue and joins its thread.
}

int facility(std::string_view name) {
    static constexpr std::pair<std::string_view, int> known[] = {
        {"daemon", LOG_DAEMON}, {"user", LOG_USER}, {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},
        {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7}};
    for (auto const& [n, v] : known)
        if (n == name) return v;
    return LOG_DAEMON;
}

spdlog::level::level_enum to_spdlog(level l) {
    switch (l) {
    case level::debug: return spdlog::level::debug;
    case level::info: return spdlog::level::info;
    case level::warn: return spdlog::level::warn;
    default: return spdlog::level::err;
    }
}

/// Empty, or why this destination cannot be used.
std::string add_sink(destination const& d, options const& o, backend& b, std::vector<spdlog::sink_ptr>& sinks) {
    switch (d.kind) {
    case destination::type::err: sinks.push_back(std::make_shared<descriptor_sink>(2, "")); break;
    case destination::type::out: sinks.push_back(std::make_shared<descriptor_sink>(1, "")); break;
    case destination::type::call: sinks.push_back(std::make_shared<call_sink>(d.call)); break;
    case destination::type::syslog:
        sinks.push_back(std::make_shared<spdlog::sinks::syslog_sink_mt>("airmaild", LOG_PID, facility(o.syslog_facility), false));
        break;
    case destination::type::file:
        int const fd = descriptor_sink::open(d.path);
        if (fd < 0) return fmt::format("cannot open log file {}: {}", d.path, std::strerror(errno));
        b.files.push_back(std::make_shared<descriptor_sink>(fd, d.path));
        sinks.push_back(b.files.back());
        break;
    }
    return {};
}

}

std::string set(options o) {
    auto fresh = std::make_shared<backend>();
    std::vector<spdlog::sink_ptr> sinks;
    for (auto const& d : o.to)
        if (auto why = add_sink(d, o, *fresh, sinks); !why.empty()) return why;
    for (auto& s : sinks) s->set_formatter(std::make_unique<bare>());
    fresh->pool = std::make_shared<spdlog::details::thread_pool>(std::max<std::size_t>(o.queue_lines, 16), 1);
    fresh->logger = std::make_shared<spdlog::async_logger>("airmail", sinks.begin(), sinks.end(), fresh->pool, spdlog::async_overflow_policy::overrun_oldest);
    fresh->logger->set_level(spdlog::level::trace);
    std::uint8_t written = 0;
    for (auto const l : o.only) written |= static_cast<std::uint8_t>(1 << static_cast<unsigned>(l));
    if (o.only.empty()) written = detail::from(o.least);
    if (o.to.empty()) written = 0;
    fresh->how = std::move(o);
    replace(std::move(fresh));
    detail::written.store(written & 0b1111, std::memory_order_relaxed);
    static metrics::probe const dropped{metrics::kind::counter, "airmail_log_lines_dropped_total",
                                        "Log lines lost because the queue was full; the oldest go first.",
                                        [] { return static_cast<double>(overruns()); }};
    return {};
}

void stop() {
    replace(nullptr);
    set_level(level::warn);
}

void reopen() {
    if (auto b = current())
        for (auto const& f : b->files) f->reopen();
}

std::uint64_t overruns() {
    auto& g = state();
    std::lock_guard hold{g.lock};
    return g.earlier_overruns + (g.now ? g.now->pool->overrun_counter() : 0);
}

void detail::write(level l, std::string_view room, fields f, fmt::string_view text, fmt::format_args args) try {
    auto const message = fmt::vformat(text, args);
    auto const b = current();
    auto const now = std::chrono::system_clock::now();
    if (!b) {
        auto const line = text_line(stamp(now, ""), l, room, f, message) + '\n';
        [[maybe_unused]] auto const n = ::write(2, line.data(), line.size());
        return;
    }
    auto const when = b->how.timestamps ? stamp(now, b->how.timestamp_format) : std::string{};
    auto const line = b->how.as == format::json ? json_line(when, l, room, f, message) : text_line(when, l, room, f, message);
    b->logger->log(to_spdlog(l), spdlog::string_view_t{line.data(), line.size()});
} catch (...) {
    // Out of memory, or a formatter that throws: a log line is never worth the broker.
}

}
