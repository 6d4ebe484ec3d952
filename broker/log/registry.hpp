#pragma once
// Where metrics are written down. Inside of metrics.cpp and prometheus.cpp only.

#include "broker/log/metrics.hpp"

#include <map>
#include <mutex>

namespace airmail::metrics {

/// One set of labels of a family that lives in cells.
struct series {
    labels marks;
    std::uint32_t id = 0;
    std::vector<double> bounds;
};

/// One set of labels of a family that is asked at scrape time.
struct probed {
    labels marks;
    std::function<double()> read;
};

/// All series of one name: one HELP and one TYPE line.
struct family {
    kind what = kind::counter;
    std::string help;
    std::vector<series> cells;
    std::vector<std::shared_ptr<probed>> probes;
};

/// Owned by the process. `lock` guards everything; `probing` is held while probes are called, before `lock`.
struct registry {
    static registry& instance();
    registry();

    std::mutex probing, lock;
    std::map<std::string, family, std::less<>> families;
    std::vector<std::unique_ptr<detail::block>> blocks;
    std::vector<detail::block*> spare;
    std::uint32_t next;
    std::uint64_t refused = 0;

    /// Null, and counted, when the name is no name or is taken by another kind. Under `lock`.
    family* family_for(kind k, std::string_view name, std::string_view help, labels const& l);
    std::uint64_t sum_locked(std::uint32_t id) const noexcept;
};

}
