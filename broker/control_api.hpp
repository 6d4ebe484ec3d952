#pragma once
// $CONTROL/broker/v1, Mosquitto's questions to the broker itself: listPlugins and listListeners, asked in JSON, in batches.
//
//   {"commands":[{"command":"listListeners","correlationData":"7"}]}
//   {"responses":[{"command":"listListeners","data":{"listeners":[{"port":1883,"protocol":"mqtt","tls":false}]},"correlationData":"7"}]}
//
// What it tells does not change while the broker runs, so any shard may answer.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace airmail {

/// Owned by the gate. Immutable, so that any shard may ask it at any time.
class control_api {
public:
    static constexpr std::string_view topic = "$CONTROL/broker/v1", response_topic = "$CONTROL/broker/v1/response";
    static constexpr std::size_t request_bytes_max = 16 << 10, commands_max = 64;

    struct listener {
        std::uint16_t port = 0;
        std::string protocol, address, socket;   // mqtt or websockets; the last two may be empty
        bool tls = false;
    };

    /// @param plugins their ids
    control_api(std::vector<std::string> plugins, std::vector<listener> listeners);

    /// The response to one request; what is wrong with it is said in it. Any thread; at most 64 commands of 16 KiB.
    std::string answer(std::string_view request) const;

private:
    std::vector<std::string> plugins_;
    std::vector<listener> listeners_;
};

}
