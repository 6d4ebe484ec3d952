#pragma once
// What bridges count. Inside of this folder only.

#include "broker/log/metrics.hpp"

namespace airmail::bridge::metric {

inline metrics::gauge up{"airmail_bridge_connected", "Bridges whose other side is connected."};
inline metrics::counter out{"airmail_bridge_sent_total", "Messages handed to the other brokers."};
inline metrics::counter in{"airmail_bridge_received_total", "Messages taken from the other brokers."};
inline metrics::counter unmapped{"airmail_bridge_unmapped_total", "Messages acknowledged and left: no topic line maps them."};
inline metrics::counter oversized{"airmail_bridge_oversized_total", "Messages acknowledged and left: larger than the other broker's Maximum Packet Size."};
inline metrics::counter lost{"airmail_bridge_connections_lost_total", "Connections to other brokers that failed or ended."};

}
