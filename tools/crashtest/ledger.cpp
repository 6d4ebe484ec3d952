#include "tools/crashtest/ledger.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace airmail::crashtest {

std::uint64_t writer_book::count() const { return static_cast<std::uint64_t>(std::count(acknowledged_.begin(), acknowledged_.end(), true)); }

void reader_book::take(unsigned writer, std::string_view topic, int qos, int number, verdict& v) {
    ++v.received;
    if (times_.size() <= writer) times_.resize(writer + 1);
    auto& mine = times_[writer];
    if (mine.size() <= static_cast<std::size_t>(number)) mine.resize(static_cast<std::size_t>(number) + 1000);
    auto& times = mine[static_cast<std::size_t>(number)];
    if (times < 255) ++times;
    if (times > 1) {
        if (qos == 2) ++v.twice, v.note(fmt::format("{}: QoS 2 message {} of writer {} came twice", name_, number, writer));
        return;
    }
    auto& before = newest_.try_emplace({std::string(topic), qos}, -1).first->second;
    if (number < before) ++v.out_of_order, v.note(fmt::format("{}: {} on {} after {}", name_, number, topic, before));
    before = std::max(before, number);
}

void reader_book::take_will(int round, verdict& v) {
    if (++wills_[round] > 1) ++v.twice, v.note(fmt::format("{}: the will of round {} came twice", name_, round));
}

bool reader_book::has(unsigned writer, int number) const {
    return writer < times_.size() && static_cast<std::size_t>(number) < times_[writer].size() && times_[writer][static_cast<std::size_t>(number)] != 0;
}

bool reader_book::complete(std::vector<writer_book> const& written) const {
    for (unsigned w = 0; w < written.size(); ++w)
        for (int n = written[w].size(); n-- > 0;)   // what is late is at the end
            if (written[w].is_acknowledged(n) && !has(w, n)) return false;
    return true;
}

void reader_book::missing(std::vector<writer_book> const& written, verdict& v) const {
    for (unsigned w = 0; w < written.size(); ++w)
        for (int n = 0; n < written[w].size(); ++n)
            if (written[w].is_acknowledged(n) && !has(w, n)) ++v.lost, v.note(fmt::format("{}: {} of writer {} was acknowledged and never came", name_, n, w));
}

}
