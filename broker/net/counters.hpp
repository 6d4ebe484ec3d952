#pragma once
// What net counts. Every bound of this room has its line here.

#include "broker/log/metrics.hpp"

namespace airmail::net::count {

inline metrics::gauge connections{"airmail_net_connections", "Open connections past CONNECT."};
inline metrics::gauge newcomers{"airmail_net_newcomers", "Open connections that have not sent a CONNECT yet."};
inline metrics::counter accepted{"airmail_net_accepted_total", "Connections accepted."};
inline metrics::counter handed_over{"airmail_net_handed_over_total", "Connections moved to the shard of their session."};

inline metrics::counter refused_total{"airmail_net_refused_total", "Connections refused at the door.", {{"cause", "connections"}}};
inline metrics::counter refused_listener{"airmail_net_refused_total", "Connections refused at the door.", {{"cause", "listener"}}};
inline metrics::counter refused_address{"airmail_net_refused_total", "Connections refused at the door.", {{"cause", "address"}}};
inline metrics::counter refused_unauthenticated{"airmail_net_refused_total", "Connections refused at the door.", {{"cause", "unauthenticated"}}};
inline metrics::counter refused_descriptors{"airmail_net_refused_total", "Connections refused at the door.", {{"cause", "descriptors"}}};
inline metrics::counter accept_paused_rate{"airmail_net_accept_paused_total", "Times accepting paused.", {{"cause", "rate"}}};
inline metrics::counter accept_paused_handshakes{"airmail_net_accept_paused_total", "Times accepting paused.", {{"cause", "handshakes"}}};

inline metrics::gauge handshaking{"airmail_net_handshaking", "TLS handshakes going on."};
inline metrics::counter handshakes{"airmail_net_handshakes_total", "TLS handshakes finished."};
inline metrics::counter handshakes_deferred{"airmail_net_handshakes_deferred_total", "Handshake steps put off to the next turn."};
inline metrics::counter handshake_no_certificate{"airmail_net_handshake_failures_total", "TLS handshakes that failed.", {{"cause", "no_certificate"}}};
inline metrics::counter handshake_certificate{"airmail_net_handshake_failures_total", "TLS handshakes that failed.", {{"cause", "certificate"}}};
inline metrics::counter handshake_protocol{"airmail_net_handshake_failures_total", "TLS handshakes that failed.", {{"cause", "protocol"}}};
inline metrics::counter handshake_identity{"airmail_net_handshake_failures_total", "TLS handshakes that failed.", {{"cause", "identity"}}};
inline metrics::counter handshake_timeout{"airmail_net_handshake_failures_total", "TLS handshakes that failed.", {{"cause", "timeout"}}};
inline metrics::counter handshake_closed{"airmail_net_handshake_failures_total", "TLS handshakes that failed.", {{"cause", "closed"}}};

inline metrics::counter bytes_in{"airmail_net_received_bytes_total", "Bytes of MQTT read, without TLS."};
inline metrics::counter bytes_out{"airmail_net_sent_bytes_total", "Bytes of MQTT written, without TLS."};
inline metrics::counter packets_in{"airmail_net_packets_received_total", "Whole MQTT packets read."};
inline metrics::counter packets_out{"airmail_net_packets_sent_total", "MQTT packets put into out-buffers."};
inline metrics::counter writes{"airmail_net_writes_total", "System or TLS writes; one per connection and turn unless much waits."};
inline metrics::counter blocked{"airmail_net_write_blocked_total", "Writes after which the kernel would take no more."};
inline metrics::gauge paused{"airmail_net_paused_connections", "Connections that are not read, for back-pressure."};

inline metrics::counter cut_connect_timeout{"airmail_net_cut_total", "Connections ended by us.", {{"cause", "connect_timeout"}}};
inline metrics::counter cut_not_mqtt{"airmail_net_cut_total", "Connections ended by us.", {{"cause", "not_mqtt"}}};
inline metrics::counter cut_stalled{"airmail_net_cut_total", "Connections ended by us.", {{"cause", "stalled"}}};
inline metrics::counter cut_output_overflow{"airmail_net_cut_total", "Connections ended by us.", {{"cause", "output_overflow"}}};
inline metrics::counter cut_keep_alive{"airmail_net_cut_total", "Connections ended by us.", {{"cause", "keep_alive"}}};
inline metrics::counter cut_protocol_error{"airmail_net_cut_total", "Connections ended by us.", {{"cause", "protocol_error"}}};
inline metrics::counter closed_by_handler{"airmail_net_cut_total", "Connections ended by us.", {{"cause", "handler"}}};
inline metrics::counter lost{"airmail_net_lost_total", "Connections that the peer or the network ended."};

}
