#include "broker/host/instance.hpp"

#include <algorithm>
#include <cstddef>
#include <boost/json.hpp>

namespace airmail::host {

instance::instance(airmail_plugin_v1_t const* t, sdk::declaration d, std::string from, bool ours)
    : id(t->id.ptr, t->id.len), where(std::move(from)), table(t), what(std::move(d)), built_in(ours), host(host_table_of(*this)) {
    if (t->size >= offsetof(airmail_plugin_v1_t, on_delivered) + sizeof t->on_delivered) on_delivered = t->on_delivered;
    for (auto const& topic : what.topics) schemas.push_back(topic.schema.empty() ? nullptr : std::make_unique<schema>(topic.schema));
}

std::uint64_t instance::metric(std::string_view name, std::string_view labels_json) {
    std::string key{name};
    (key += '\0') += labels_json;
    std::lock_guard lock{cells_mutex_};
    if (auto at = names_.find(key); at != names_.end()) return at->second;
    auto declared = std::find_if(what.metrics.begin(), what.metrics.end(), [&](auto const& m) { return m.name == name; });
    if (declared == what.metrics.end() || cells_.size() >= 1024) return 0;
    metrics::labels labels;
    if (!labels_json.empty()) {
        boost::system::error_code ec;
        auto v = boost::json::parse(labels_json, ec);
        if (ec || !v.is_object()) return 0;
        for (auto const& m : v.get_object())
            labels.emplace_back(m.key(), m.value().is_string() ? std::string{m.value().get_string()} : boost::json::serialize(m.value()));
    }
    cell c;
    if (declared->kind == "counter") c.up = std::make_unique<metrics::counter>(declared->name, declared->help, std::move(labels));
    else c.level = std::make_unique<metrics::gauge>(declared->name, declared->help, std::move(labels));
    cells_.push_back(std::move(c));
    return names_[key] = cells_.size();
}

void instance::metric_add(std::uint64_t cell, double delta) {
    std::lock_guard lock{cells_mutex_};
    if (cell == 0 || cell > cells_.size()) return;
    auto& c = cells_[cell - 1];
    if (c.up && delta > 0) c.up->add(static_cast<std::uint64_t>(delta));
    if (c.level) c.level->add(static_cast<std::int64_t>(delta));
}

void instance::metric_set(std::uint64_t cell, double value) {
    std::lock_guard lock{cells_mutex_};
    if (cell == 0 || cell > cells_.size() || !cells_[cell - 1].level) return;
    cells_[cell - 1].level->set(static_cast<std::int64_t>(value));
}

}
