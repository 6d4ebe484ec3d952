#pragma once
// An airmaild of the laboratory's own: a scratch directory on the disk in question, a loopback port, and kill -9.

#include "tools/crashtest/victim.hpp"

#include <string>
#include <sys/types.h>

namespace airmail::crashtest {

/// Owned by: one thread. The scratch directory is removed with it.
class broker_child {
public:
    /// @param program    airmaild
    /// @param directory  an existing directory; the scratch directory is made in it
    /// @throws std::runtime_error with one line when the directory cannot be used
    broker_child(std::string program, std::string const& directory);
    ~broker_child();
    broker_child(broker_child const&) = delete;
    broker_child& operator=(broker_child const&) = delete;

    /// The laboratory's view; lives as long as this.
    victim as_victim();
    std::string const& scratch() const { return scratch_; }

private:
    void launch();
    std::string start();
    void kill();
    std::string said() const;
    client::connect_options way_in() const;

    std::string program_, scratch_;
    std::uint16_t port_ = 0;
    pid_t child_ = -1;
};

}
