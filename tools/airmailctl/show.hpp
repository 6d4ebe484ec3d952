#pragma once
// How airmailctl shows things: tables for people, JSON for programs, a bar where somebody watches.

#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace airmail::ctl {

/// One column of a table: its heading and the member (dotted for nested: "counters.failed") it shows.
struct column { std::string heading, member; };

/// Prints an array of objects as a table with aligned columns; "(none)" when it is empty.
void table(boost::json::value const& rows, std::vector<column> const& columns);
/// Prints one object, a member a line.
void record(boost::json::value const& object);
/// Prints the value as JSON on one line.
void json_line(boost::json::value const& v);
/// One member as text: "-" when absent or null; times (members ending in _at, last_seen) in UTC.
std::string text_of(boost::json::value const& object, std::string_view member);

/// A progress bar on standard error; silent when that is not a terminal. Ends its line when destroyed.
class bar {
public:
    explicit bar(std::string label);
    ~bar();
    /// `note` stands behind the figures.
    void update(std::uint64_t done, std::uint64_t total, std::string_view note = {});

private:
    std::string label_;
    bool terminal_;
    int shown_ = -1;
    std::string last_note_;
};

}
