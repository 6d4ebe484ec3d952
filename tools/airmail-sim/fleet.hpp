#pragma once
// The fleet: makes the devices, runs them on one io_context, shows how far they are, reports at the end.

#include "tools/airmail-sim/unit.hpp"

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <memory>

namespace airmail::sim {

class fleet {
public:
    /// Draws the victims, makes certificates and disks. Throws std::exception with one clear line.
    explicit fleet(options o);
    /// Until done, told to stop, or timed out. @return exit code: 0, or 1 when --until-done was not reached
    int run();

private:
    using stdin_stream = boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;

    void make_units();
    std::shared_ptr<client::handlers const> make_handlers();
    void start();
    void bring_online();
    void read_controls();
    void control(std::string const& line);
    void wait_signal();
    void tick();
    void show();
    bool done() const;
    void finish(int code);
    void write_report() const;

    options set_;
    boost::asio::io_context io_{1};
    agenda later_{io_};
    trust trust_;
    std::shared_ptr<client::tls_context const> https_;
    std::unique_ptr<surroundings> around_;
    std::vector<std::unique_ptr<unit>> units_;
    boost::asio::signal_set signals_{io_};
    std::unique_ptr<stdin_stream> controls_;
    std::string control_text_;
    std::array<char, 256> control_room_{};
    agenda::clock::time_point began_;
    int code_ = 0;
    bool finishing_ = false, terminal_ = false, offline_called_ = false;
};

}
