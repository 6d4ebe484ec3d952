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
inline metrics::counter refused_address_rate{"airmail_net_refused_total", "Connections refused at the door.", {{"cause", "address_rate"}}};
inline metrics::counter refused_held_off{"airmail_net_refused_total", "Connections refused at the door.", {{"cause", "login_failures"}}};
inline metrics::counter refused_memory{"airmail_net_refused_total", "Connections refused at the door.", {{"cause", "memory"}}};
inline metrics::counter refused_descriptors{"airmail_net_refused_total", "Connections refused at the door.", {{"cause", "descriptors"}}};
inline metrics::counter accept_paused_rate{"airmail_net_accept_paused_total", "Times accepting paused.", {{"cause", "rate"}}};
inline metrics::counter accept_paused_handshakes{"airmail_net_accept_paused_total", "Times accepting paused.", {{"cause", "handshakes"}}};

inline metrics::counter held_off_login{"airmail_net_held_off_total", "CONNECTs answered with a time to wait.", {{"cause", "login_failures"}}};
inline metrics::counter held_off_flapping{"airmail_net_held_off_total", "CONNECTs answered with a time to wait.", {{"cause", "flapping"}}};
inline metrics::counter back_off_full{"airmail_net_back_off_full_total", "Names that were not watched because the table of names was full."};
inline metrics::gauge memory_level{"airmail_net_memory_level", "0 plenty, 1 refusing new connections, 2 shedding load."};
inline metrics::gauge memory_used{"airmail_net_memory_used_bytes", "Memory of the process that cannot be given back, as the memory limit sees it."};
inline metrics::counter proxied{"airmail_net_proxied_total", "Connections whose peer a proxy named."};
inline metrics::counter proxy_refused{"airmail_net_proxy_refused_total", "Connections closed because their PROXY header was missing, malformed or not enough."};

inline metrics::gauge websockets{"airmail_net_websockets", "Open WebSockets."};
inline metrics::counter websocket_upgrades{"airmail_net_websocket_upgrades_total", "HTTP requests that became a WebSocket."};
inline metrics::counter websocket_refused{"airmail_net_websocket_refused_total", "HTTP requests that did not become a WebSocket."};
inline metrics::counter websocket_text{"airmail_net_websocket_text_total", "WebSockets closed for a text frame."};
inline metrics::counter websocket_paused{"airmail_net_websocket_paused_total", "Times a WebSocket was not read because its shard has enough to do."};

inline metrics::histogram certificate_left{"airmail_net_device_certificate_left_seconds", "Time that client certificates had left when they were shown.",
                                            {0, 1 * 86400., 7 * 86400., 14 * 86400., 30 * 86400., 60 * 86400., 90 * 86400., 180 * 86400., 365 * 86400., 730 * 86400.}};
inline metrics::counter certificates_expiring{"airmail_net_device_certificates_expiring_total", "Client certificates shown with less than 30 days left."};

inline metrics::gauge handshaking{"airmail_net_handshaking", "TLS handshakes going on."};
inline metrics::counter handshakes{"airmail_net_handshakes_total", "TLS handshakes finished."};
inline metrics::counter handshakes_deferred{"airmail_net_handshakes_deferred_total", "Handshake steps put off to the next turn."};
inline metrics::counter handshake_no_certificate{"airmail_net_handshake_failures_total", "TLS handshakes that failed.", {{"cause", "no_certificate"}}};
inline metrics::counter handshake_certificate{"airmail_net_handshake_failures_total", "TLS handshakes that failed.", {{"cause", "certificate"}}};
inline metrics::counter handshake_protocol{"airmail_net_handshake_failures_total", "TLS handshakes that failed.", {{"cause", "protocol"}}};
inline metrics::counter handshake_identity{"airmail_net_handshake_failures_total", "TLS handshakes that failed.", {{"cause", "identity"}}};
inline metrics::counter handshake_timeout{"airmail_net_handshake_failures_total", "TLS handshakes that failed.", {{"cause", "timeout"}}};
inline metrics::counter handshake_closed{"airmail_net_handshake_failures_total", "TLS handshakes that failed.", {{"cause", "closed"}}};

inline metrics::counter ocsp_good{"airmail_net_ocsp_answers_total", "What OCSP responders said of client certificates.", {{"word", "good"}}};
inline metrics::counter ocsp_revoked{"airmail_net_ocsp_answers_total", "What OCSP responders said of client certificates.", {{"word", "revoked"}}};
inline metrics::counter ocsp_unknown{"airmail_net_ocsp_answers_total", "What OCSP responders said of client certificates.", {{"word", "unknown"}}};
inline metrics::counter ocsp_silent{"airmail_net_ocsp_answers_total", "What OCSP responders said of client certificates.", {{"word", "silent"}}};
inline metrics::counter ocsp_cached{"airmail_net_ocsp_cached_total", "Certificates of which an answer was known already."};
inline metrics::counter ocsp_paused{"airmail_net_ocsp_paused_total", "Certificates not asked about because their responder is known not to answer, or named nowhere."};
inline metrics::counter ocsp_let_in{"airmail_net_ocsp_let_in_total", "Newcomers let in by tls_ocsp soft although nobody called their certificate good."};
inline metrics::counter ocsp_refused{"airmail_net_ocsp_refused_total", "Newcomers refused by what their certificate's authority said, or did not say."};
inline metrics::gauge ocsp_entries{"airmail_net_ocsp_entries", "Certificates of which an OCSP answer is kept or awaited."};
inline metrics::counter ocsp_evicted{"airmail_net_ocsp_evicted_total", "OCSP answers forgotten before their time, at limit_ocsp_entries."};
inline metrics::gauge staples_missing{"airmail_net_staples_missing", "Listeners with tls_stapling that have no answer to staple."};
inline metrics::counter staples_fetched{"airmail_net_staple_fetches_total", "Answers about our own certificates asked for.", {{"result", "good"}}};
inline metrics::counter staples_failed{"airmail_net_staple_fetches_total", "Answers about our own certificates asked for.", {{"result", "failed"}}};

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
inline metrics::counter cut_memory{"airmail_net_cut_total", "Connections ended by us.", {{"cause", "memory"}}};
inline metrics::counter cut_keep_alive{"airmail_net_cut_total", "Connections ended by us.", {{"cause", "keep_alive"}}};
inline metrics::counter cut_protocol_error{"airmail_net_cut_total", "Connections ended by us.", {{"cause", "protocol_error"}}};
inline metrics::counter cut_revoked{"airmail_net_cut_total", "Connections ended by us.", {{"cause", "revoked"}}};
inline metrics::counter forgiven{"airmail_net_forgiven_total", "Connections not cut when they were due, because the broker itself had stood still until then."};
inline metrics::counter closed_by_handler{"airmail_net_cut_total", "Connections ended by us.", {{"cause", "handler"}}};
inline metrics::counter lost{"airmail_net_lost_total", "Connections that the peer or the network ended."};

}
