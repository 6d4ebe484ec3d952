#include "bench/airmail-bench/report.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <fstream>
#include <sys/utsname.h>
#include <thread>

namespace airmail::bench {
namespace {

std::vector<double> values(measured const& m, std::size_t which) {
    std::vector<double> v;
    for (auto const& round : m.rounds)
        if (which < round.size()) v.push_back(round[which].value);
    std::sort(v.begin(), v.end());
    return v;
}

double median(std::vector<double> const& sorted) {
    if (sorted.empty()) return 0;
    auto const n = sorted.size();
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

std::string number(double v) {
    if (v >= 1000) return fmt::format("{:.0f}", v);      // never 4e+03
    return fmt::format("{:.3g}", v);
}

std::string cell(std::vector<double> const& v) {
    if (v.empty()) return "-";
    if (v.size() == 1 || v.front() == v.back()) return number(median(v));
    return fmt::format("{} ({}-{})", number(median(v)), number(v.front()), number(v.back()));
}

std::string cpu_model() {
    std::ifstream in("/proc/cpuinfo");
    for (std::string line; std::getline(in, line);)
        if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
    return "unknown";
}

}

std::string table(scenario_result const& r, std::string const& peer) {
    std::string out = fmt::format("\n### {}\n{}\n\n| figure |", r.what->name, r.what->what);
    for (auto const& b : r.brokers) out += fmt::format(" {} |", b.broker);
    auto const base = std::find_if(r.brokers.begin(), r.brokers.end(), [&](auto const& b) { return b.broker == peer; });
    for (auto const& b : r.brokers)
        if (base != r.brokers.end() && b.broker != peer) out += fmt::format(" {} / {} |", b.broker, peer);
    out += "\n|---|";
    auto const columns = r.brokers.size() + (base != r.brokers.end() ? r.brokers.size() - 1 : 0);
    for (std::size_t i = 0; i < columns; ++i) out += "---|";
    out += '\n';
    figures const* rows = nullptr;
    for (auto const& b : r.brokers)
        if (!b.rounds.empty()) rows = &b.rounds.front();
    for (std::size_t i = 0; rows && i < rows->size(); ++i) {
        out += fmt::format("| {} |", (*rows)[i].name);
        for (auto const& b : r.brokers) out += fmt::format(" {} |", cell(values(b, i)));
        double const of = base == r.brokers.end() ? 0 : median(values(*base, i));
        for (auto const& b : r.brokers)
            if (base != r.brokers.end() && b.broker != peer) {
                double const ours = median(values(b, i));
                bool const says = (*rows)[i].ratio && ours > 0 && of > 0;
                out += says ? ours < of / 2 ? fmt::format(" 1/{:.1f} |", of / ours) : fmt::format(" {:.2f} |", ours / of) : std::string(" |");
            }
        out += '\n';
    }
    return out;
}

std::string json(std::vector<scenario_result> const& all, load const& sizes, std::string const& peer) {
    utsname host{};
    ::uname(&host);
    boost::json::object root{{"cpu", cpu_model()},
                             {"cores", std::thread::hardware_concurrency()},
                             {"kernel", host.release},
                             {"peer", peer},
                             {"sizes", {{"seconds", sizes.seconds}, {"idle_plain", sizes.idle_plain}, {"idle_mtls", sizes.idle_mtls}, {"devices", sizes.devices},
                                        {"commanded", sizes.commanded}, {"window", sizes.window}, {"rate", sizes.rate}, {"mtls", sizes.mtls}}}};
    boost::json::array scenarios;
    for (auto const& s : all) {
        boost::json::object brokers;
        for (auto const& b : s.brokers) {
            boost::json::array rounds;
            for (auto const& round : b.rounds) {
                boost::json::object figures;
                for (auto const& f : round) figures[f.name] = f.value;
                rounds.push_back(figures);
            }
            brokers[b.broker] = rounds;
        }
        scenarios.push_back(boost::json::object{{"name", s.what->name}, {"what", s.what->what}, {"brokers", brokers}});
    }
    root["scenarios"] = scenarios;
    return boost::json::serialize(root);
}

}
