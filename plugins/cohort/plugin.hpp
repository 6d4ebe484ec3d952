#pragma once
// ota.cohort: the updated devices of a campaign against those that are not, by what the broker sees: connections, messages on
// devices/{id}/error, and numbers in heartbeats. Told by POST /api/v1/campaigns/{id}/cohort; with "gate" a shown difference pauses the campaign.

#include "plugins/cohort/study.hpp"
#include "plugins/kit/params.hpp"
#include "plugins/sdk/plugin.hpp"

#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace airmail::plugins {

/// Owned by: the registry lane. Bound: 1,000 pairs under way, over all campaigns; more wait. Pairs under way are lost with the process;
/// what they have shown before is kept. Who runs the new version is learnt from the campaign's events, each read once.
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
    /// Runs the new version since event `seq`, and has not been in a pair.
    struct candidate { std::int64_t seq = 0; std::string serial_no; int looks = 0; };
    struct study : cohort::study {
        std::deque<candidate> fresh;                                    // bound: 1,000; beyond it events wait in the log
    };
    struct pair { std::string campaign_id, updated, other; sdk::instant ends = 0; };

    std::string set(kit::params const& p, int& status);
    std::string show(std::string const& campaign_id);
    void load();
    void look(study& s, std::int64_t newest, sdk::instant now);
    void gather(study& s, std::int64_t newest);
    void open_pairs(study& s, sdk::instant now);
    std::vector<std::string> partners(study const& s, std::string const& model, std::size_t most);
    bool pair_up(study const& s, std::string const& updated, std::string const& other, sdk::instant now);
    void settle(pair const& p);
    void judge(study& s, std::string const& measure, double updated, double other);
    void alarm(study& s, std::string const& measure);
    bool still_other(pair const& p);

    std::unordered_map<std::string, study> studies_;
    std::vector<pair> pairs_;
    std::unordered_map<std::string, record> watched_;
};

}
