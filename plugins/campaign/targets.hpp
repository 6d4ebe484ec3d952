#pragma once
// Which devices a campaign is for: the document's {"model":"TX-100","fw_version":"< v1.1.0"}, plus an explicit list and tags.
// Versions are judged once per distinct (model, version) of the fleet; the rest is one INSERT ... SELECT per pair.

#include "plugins/campaign/rows.hpp"
#include "plugins/targets/query.hpp"
#include "storage/firmware/semver.hpp"

namespace airmail::plugins::campaign {

struct criteria {
    std::string model;
    storage::firmware::version_range versions;
    std::string range_text = "*";
    std::vector<std::string> devices, tags;      // all tags must be there
    bool explicit_list = false;
    std::optional<targets::query> q;             // RSQL: holds as well
    std::string json;                            // canonical: what is stored
};
/// A JSON object, or RSQL alone. Unknown members are refused: a misspelt filter must not mean "everyone". Throws kit::refusal 400.
criteria parse_criteria(std::string_view json);

/// What the image asks of a device.
struct image_rules {
    std::vector<std::string> models;             // empty = any
    std::string version, min_from;
    bool allow_downgrade = false;
};
/// Why a device at `version` is no target; "" = it is one. Equal versions are none: there is nothing to do.
std::string unfit(image_rules const& rules, criteria const& c, std::string_view model, std::string_view version);
image_rules rules_of(sdk::context& ctx, campaign_row const& c);

/// Who would get rows, counted and not made; and why the rest would not.
struct preview_group {
    std::string model, version, why;             // why: empty = targets
    std::int64_t count = 0, online = 0;
};
struct preview {
    std::int64_t count = 0, online = 0, never_seen = 0;
    std::int64_t silent_day = 0, silent_week = 0, silent_month = 0;      // offline at least so long: the tail
    std::vector<std::string> examples;           // at most 10
    std::vector<preview_group> groups;           // at most 100, the largest first
};
preview look_ahead(sdk::context& ctx, campaign_row const& c);

/// Makes rows for all devices that match and have none. @return how many
std::int64_t materialise(sdk::context& ctx, campaign_row const& c);
/// The same for one device (a late joiner). @return 0 or 1
std::int64_t materialise_one(sdk::context& ctx, campaign_row const& c, std::string_view serial_no);

}
