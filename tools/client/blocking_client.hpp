#pragma once
// The client for people in a hurry: tests, command lines. Every call waits for its answer, at most so long.

#include "tools/client/client.hpp"

#include <deque>

namespace airmail::client {

/// What CONNACK said, with its own memory.
struct connack_info {
    bool session_present = false;
    codec::reason code = codec::reason::success;
    std::string assigned_client_id, reason_string, response_info, server_reference;
    std::optional<std::uint16_t> server_keep_alive;
    std::optional<std::uint32_t> session_expiry, maximum_packet_size;
    std::uint16_t receive_maximum = 65535, topic_alias_maximum = 0;
    std::uint8_t maximum_qos = 2;
    bool retain_available = true, wildcard_available = true, subscription_ids_available = true, shared_available = true;
    std::vector<user_property> user_properties;
};

/// A client with an io_context of its own, which runs only during calls: between them nothing is read and no ping is sent.
/// Owned by: one thread.
class blocking_client {
public:
    /// @param patience  how long each call waits for its answer (errc::call_timeout)
    explicit blocking_client(std::chrono::milliseconds patience = std::chrono::seconds(10));
    ~blocking_client();

    /// Connects. A refusal is errc::refused, and closed()->code says which; connack() has the packet either way.
    result<connack_info> connect(connect_options o);
    /// Publishes; waits until QoS 0 is written, QoS 1 and 2 are acknowledged. @return the server's reason code
    result<codec::reason> publish(publication const& p);
    /// Subscribes. @return one code for each filter
    result<std::vector<codec::reason>> subscribe(std::span<subscription const> filters, std::uint32_t id = 0);
    result<std::vector<codec::reason>> subscribe(std::string_view filter, std::uint8_t qos = 0);
    /// Unsubscribes. @return one code for each filter (3.1.1: none)
    result<std::vector<codec::reason>> unsubscribe(std::string_view filter);
    /// The next message, waiting for it; those received before a close are still given.
    result<message> receive();
    result<message> receive(std::chrono::milliseconds patience);
    /// Says goodbye and waits until the connection is closed.
    error_code disconnect(codec::reason why = codec::reason::success, std::span<user_property const> user = {});
    /// Closes without a word.
    void drop(bool reset = false);
    /// Waits until the server closes. @return why, or call_timeout
    result<close_info> wait_closed();
    /// Lets the connection live for a while: pings, messages into the inbox.
    void run_for(std::chrono::milliseconds time);

    /// Messages waiting for receive(): at most 100,000, beyond that the oldest go, counted.
    std::size_t waiting() const { return inbox_.size(); }
    std::uint64_t overflowed() const { return overflowed_; }
    /// The last CONNACK.
    std::optional<connack_info> const& connack() const { return connack_; }
    /// Why the last connection ended; empty while it lives.
    std::optional<close_info> const& closed() const { return closed_; }
    /// The client underneath.
    client& async() { return *client_; }

private:
    struct answer {
        std::uint16_t packet_id;
        std::vector<codec::reason> codes;
    };
    template <class Done> bool run_until(Done done, std::chrono::milliseconds patience);
    result<std::vector<codec::reason>> await_answer(result<std::uint16_t> id);
    error_code why_closed() const;
    std::shared_ptr<handlers const> make_handlers();

    boost::asio::io_context io_{1};
    std::chrono::milliseconds patience_;
    std::shared_ptr<client> client_;
    std::deque<message> inbox_;
    std::uint64_t overflowed_ = 0;
    std::optional<answer> answer_;
    std::uint16_t awaited_ = 0;
    std::optional<connack_info> connack_;
    std::optional<close_info> closed_;
};

}
