// Text exposition, https://prometheus.io/docs/instrumenting/exposition_formats/ version 0.0.4. By hand: see README.

#include "broker/log/registry.hpp"

#include <bit>
#include <cmath>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

namespace airmail::metrics {
namespace {

std::string_view word(kind k) { return k == kind::counter ? "counter" : k == kind::gauge ? "gauge" : "histogram"; }

void append_escaped(std::string& out, std::string_view s, bool quotes) {
    for (char const c : s) {
        if (c == '\\') out += "\\\\";
        else if (c == '\n') out += "\\n";
        else if (quotes && c == '"') out += "\\\"";
        else out += c;
    }
}

std::string number(double v) {
    if (std::isnan(v)) return "NaN";
    if (std::isinf(v)) return v > 0 ? "+Inf" : "-Inf";
    return fmt::format("{}", v);
}

void append_sample(std::string& out, std::string_view name, std::string_view suffix, labels const& l, std::string_view le, std::string_view value) {
    out.append(name).append(suffix);
    if (!l.empty() || !le.empty()) {
        char before = '{';
        auto const one = [&](std::string_view k, std::string_view v) {
            out += before;
            before = ',';
            out.append(k).append("=\"");
            append_escaped(out, v, true);
            out += '"';
        };
        for (auto const& [k, v] : l) one(k, v);
        if (!le.empty()) one("le", le);
        out += '}';
    }
    out.append(1, ' ').append(value).append(1, '\n');
}

void append_head(std::string& out, std::string_view name, std::string_view help, kind k) {
    out.append("# HELP ").append(name).append(1, ' ');
    append_escaped(out, help, false);
    out.append("\n# TYPE ").append(name).append(1, ' ').append(word(k)).append(1, '\n');
}

void append_histogram(std::string& out, std::string_view name, series const& s, registry const& r) {
    std::uint64_t running = 0;
    for (std::size_t i = 0; i <= s.bounds.size(); ++i) {
        running += r.sum_locked(s.id + static_cast<std::uint32_t>(i));
        append_sample(out, name, "_bucket", s.marks, i < s.bounds.size() ? number(s.bounds[i]) : "+Inf", std::to_string(running));
    }
    double sum = 0;
    auto const cell = s.id + static_cast<std::uint32_t>(s.bounds.size()) + 1;
    for (auto const& b : r.blocks)
        if (auto* c = b->chunks[cell / detail::chunk_cells].load(std::memory_order_acquire))
            sum += std::bit_cast<double>(c->cells[cell % detail::chunk_cells].load(std::memory_order_relaxed));
    append_sample(out, name, "_sum", s.marks, "", number(sum));
    append_sample(out, name, "_count", s.marks, "", std::to_string(running));
}

void append_family(std::string& out, std::string const& name, family const& f, registry const& r,
                   std::vector<std::pair<labels, double>> const& asked) {
    if (f.cells.empty() && asked.empty()) return;
    append_head(out, name, f.help, f.what);
    for (auto const& s : f.cells) {
        if (f.what == kind::histogram) append_histogram(out, name, s, r);
        else if (f.what == kind::gauge) append_sample(out, name, "", s.marks, "", std::to_string(static_cast<std::int64_t>(r.sum_locked(s.id))));
        else append_sample(out, name, "", s.marks, "", std::to_string(r.sum_locked(s.id)));
    }
    for (auto const& [marks, value] : asked) append_sample(out, name, "", marks, "", number(value));
}

void append_one(std::string& out, std::string_view name, std::string_view help, kind k, double v) {
    append_head(out, name, help, k);
    append_sample(out, name, "", {}, "", number(v));
}

/// The process_* names that every Prometheus client library gives, so that ready-made dashboards work.
void append_process(std::string& out) {
    rusage use{};
    getrusage(RUSAGE_SELF, &use);
    auto const cpu = static_cast<double>(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + 1e-6 * static_cast<double>(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
    append_one(out, "process_cpu_seconds_total", "User and system CPU time spent.", kind::counter, cpu);
    std::uint64_t total_pages = 0, resident_pages = 0;
    std::ifstream{"/proc/self/statm"} >> total_pages >> resident_pages;
    auto const page = static_cast<double>(sysconf(_SC_PAGESIZE));
    append_one(out, "process_resident_memory_bytes", "Resident memory size.", kind::gauge, page * static_cast<double>(resident_pages));
    append_one(out, "process_virtual_memory_bytes", "Virtual memory size.", kind::gauge, page * static_cast<double>(total_pages));
    std::error_code ec;
    double open = 0;
    for (std::filesystem::directory_iterator i{"/proc/self/fd", ec}, end; !ec && i != end; i.increment(ec)) ++open;
    append_one(out, "process_open_fds", "Open file descriptors.", kind::gauge, open);
    rlimit most{};
    getrlimit(RLIMIT_NOFILE, &most);
    append_one(out, "process_max_fds", "Largest number of open file descriptors.", kind::gauge, static_cast<double>(most.rlim_cur));
}

}

std::string exposition() {
    auto& r = registry::instance();
    // Probes are asked first and without the registry's lock: one of them may well declare a metric.
    std::lock_guard asking{r.probing};
    std::vector<std::pair<std::string, std::shared_ptr<probed>>> questions;
    {
        std::lock_guard hold{r.lock};
        for (auto const& [name, f] : r.families)
            for (auto const& p : f.probes) questions.emplace_back(name, p);
    }
    std::map<std::string, std::vector<std::pair<labels, double>>> answers;
    for (auto const& [name, p] : questions) answers[name].emplace_back(p->marks, p->read());
    std::string out;
    std::lock_guard hold{r.lock};
    for (auto const& [name, f] : r.families) append_family(out, name, f, r, answers[name]);
    append_one(out, "airmail_log_metrics_refused_total", "Metrics that could not be registered: bad name, other type, no cell left.",
               kind::counter, static_cast<double>(r.refused));
    append_process(out);
    return out;
}

}
