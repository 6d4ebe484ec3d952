#pragma once
// ota.cohort: the updated devices of a campaign against those that are not, by what the broker sees: connections, messages on
// devices/{id}/error, and numbers in heartbeats. Told by POST /api/v1/campaigns/{id}/cohort; with "gate" a shown difference pauses the campaign.

#include "plugins/cohort/pair_test.hpp"
#include "plugins/kit/params.hpp"
#include "plugins/sdk/plugin.hpp"

#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace airmail::plugins {

/// Owned by: the registry lane. Bound: 1,000 pairs under way, over all campaigns; more wait. Pairs under way are lost with the process;
/// what they have shown before is kept.
class cohort_plugin final : public sdk::plugin {
public:
    using plugin::plugin;
    static std::string_view id() { return "ota.cohort"; }
    static sdk::declaration declare();
    void start() override;
    sdk::verdict message(sdk::message_view const& m) override;
    void session(sdk::session_view const& s) override;
    void tick(std::uint64_t timer, sdk::instant now) override;
    void method(sdk::call_view const& c) override;

private:
    /// What one watched device did since its pair began.
    struct record {
        std::int64_t reconnects = 0, errors = 0;
        std::map<std::string, std::pair<double, std::int64_t>> numbers;      // field -> sum, count
        double mean(std::string const& field) const;                        // NaN: it said nothing
    };
    enum class direction { higher, lower };                                 // which is the harm
    struct study {
        std::string campaign_id;
        std::int64_t window_ms = 0;
        double alpha = 0.05;
        bool gate = false;
        std::vector<std::pair<std::string, direction>> fields;
        std::map<std::string, cohort::pair_counts> counts;                  // by measure
        std::string alarm;                                                  // the measure that has shown a difference
        std::int64_t alarm_at = 0;
        /// Each measure may err with its share.
        double share() const { return alpha / static_cast<double>(2 + fields.size()); }
    };
    struct pair { std::string campaign_id, updated, other; sdk::instant ends = 0; };

    std::string set(kit::params const& p, int& status);
    std::string show(std::string const& campaign_id);
    study read(std::string const& campaign_id, std::string_view fields);
    void load();
    void open_pairs(study& s, sdk::instant now);
    void pair_up(study const& s, std::string const& updated, std::string const& other, sdk::instant now);
    void settle(pair const& p);
    void judge(study& s, std::string const& measure, double updated, double other);
    void alarm(study& s, std::string const& measure);
    bool still_other(pair const& p);

    std::unordered_map<std::string, study> studies_;
    std::vector<pair> pairs_;
    std::unordered_map<std::string, record> watched_;
};

}
