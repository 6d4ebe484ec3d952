#pragma once
// The registry, read only: one connection of its own (WAL), so that nobody here waits for the lanes or makes them wait. Shown as an
// sdk::context, so that the plugins' own rows and views (campaign/rows.hpp, campaign/views.hpp) can be asked; what writes refuses.
// Owned by one thread.

#include "plugins/sdk/hooks.hpp"
#include "storage/sqlite/db.hpp"

#include <boost/json/array.hpp>
#include <initializer_list>
#include <string_view>

namespace airmail::dashboard {

class reader final : public sdk::context {
public:
    /// `database` exists. Throws storage::sqlite::error.
    reader(std::string const& database, std::function<std::int64_t()> wall_ms);

    sdk::instant now() const override { return wall_ms_(); }
    sdk::instant wall() const override { return wall_ms_(); }
    std::vector<sdk::sql_row> sql(std::string_view text, std::vector<sdk::sql_value> const& params = {}) override;

    /// Rows as objects with these member names, in the order of the columns. Names that end in "~" are unix ms and become seconds
    /// (0 becomes null), in "{" are JSON texts, in "?" are truth values.
    boost::json::array objects(std::string_view text, std::vector<sdk::sql_value> const& params, std::initializer_list<std::string_view> names);
    /// The first of them, or null.
    boost::json::value object(std::string_view text, std::vector<sdk::sql_value> const& params, std::initializer_list<std::string_view> names);

    void log(sdk::level, std::string_view, std::string_view) override {}
    std::string option(std::string_view) const override { return {}; }
    std::int64_t changes() const override { return 0; }
    void publish(sdk::publication const&) override { refuse(); }
    void timer(std::uint64_t, sdk::instant) override { refuse(); }
    void call(std::string_view, std::string_view, std::function<void(int, std::string_view)>) override { refuse(); }
    void reply(std::uint64_t, int, std::string_view) override { refuse(); }
    void reply(std::uint64_t, sdk::http_reply const&) override { refuse(); }
    void revoke(std::string_view) override { refuse(); }
    void disconnect(std::string_view, int) override { refuse(); }
    void state_put(std::uint64_t, std::string_view) override { refuse(); }
    void state_scan(std::function<void(std::uint64_t, std::string_view)> const&) override { refuse(); }
    void metric_add(std::string_view, double, std::string_view) override {}
    void metric_set(std::string_view, double, std::string_view) override {}
    void answer_connect(std::uint64_t, sdk::verdict, std::string_view) override { refuse(); }

private:
    [[noreturn]] static void refuse() { throw sdk::error("this connection only reads"); }
    storage::sqlite::db db_;
    std::function<std::int64_t()> wall_ms_;
};

}
