// Sessions over plain sockets: loopback TCP for metrics, and the Unix control socket.
#include "broker/admin/session_impl.hpp"

#include <boost/asio/generic/stream_protocol.hpp>

namespace airmail::admin {

template boost::asio::awaitable<void> serve_connection(http_server::world, std::shared_ptr<boost::asio::generic::stream_protocol::socket>,
                                                       std::function<void()>, arrival);

}
