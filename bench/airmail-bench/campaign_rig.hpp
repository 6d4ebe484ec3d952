#pragma once
// A whole airmaild with devices in its registry and an image in its store: what the campaign scenarios begin with.

#include "bench/airmail-bench/scenario.hpp"
#include "bench/airmail-bench/swarm.hpp"

#include <boost/json/value.hpp>
#include <string>

namespace airmail::bench {

/// One request on the control socket; the answer is read later, so that the swarm can go on meanwhile.
class control {
public:
    control(std::string const& path, std::string_view verb, std::string_view target, std::string_view body, std::string_view type = "application/json");
    ~control();
    control(control const&) = delete;
    control& operator=(control const&) = delete;
    /// Whether the answer has begun to come.
    bool ready() const;
    /// Reads to the end. Throws failure when it is no 2xx.
    boost::json::value answer();

private:
    int fd_ = -1;
};

/// Keys in the broker's folder, and the lines of its configuration that name them and load the update plugins.
std::string campaign_config(std::string const& dir);
/// Signs and uploads an image of so many bytes. @return its firmware_id
std::string upload(bench_run& r, std::size_t image_bytes);
/// Connects `commanded` devices, each on its command topic, until the registry has them all online.
void register_all(bench_run& r, swarm& s);
inline std::string control_socket(bench_run const& r) { return r.broker.place().dir + "/control.sock"; }

}
