#pragma once
// What the handlers count.

#include "broker/log/metrics.hpp"

namespace airmail::handlers::metric {

inline metrics::counter received_qos0{"airmail_handlers_publishes_received_total", "PUBLISH packets read from peers.", {{"qos", "0"}}};
inline metrics::counter received_qos1{"airmail_handlers_publishes_received_total", "PUBLISH packets read from peers.", {{"qos", "1"}}};
inline metrics::counter received_qos2{"airmail_handlers_publishes_received_total", "PUBLISH packets read from peers.", {{"qos", "2"}}};

inline metrics::counter received_payload{"airmail_handlers_publish_received_bytes_total", "Payload bytes of PUBLISH packets read from peers."};

inline char const* const refused_help = "PUBLISH packets refused, by cause.";
inline metrics::counter refused_acl{"airmail_handlers_publishes_refused_total", refused_help, {{"cause", "not_authorized"}}};
inline metrics::counter refused_topic{"airmail_handlers_publishes_refused_total", refused_help, {{"cause", "topic_invalid"}}};
inline metrics::counter refused_quota{"airmail_handlers_publishes_refused_total", refused_help, {{"cause", "quota"}}};
inline metrics::counter refused_format{"airmail_handlers_publishes_refused_total", refused_help, {{"cause", "payload_format"}}};
inline metrics::counter refused_store{"airmail_handlers_publishes_refused_total", refused_help, {{"cause", "store"}}};
inline metrics::counter refused_plugin{"airmail_handlers_publishes_refused_total", refused_help, {{"cause", "plugin"}}};
inline metrics::counter duplicates{"airmail_handlers_qos2_duplicates_total", "QoS 2 PUBLISH packets read again and not routed again."};

inline char const* const connects_help = "CONNECT packets, by answer.";
inline metrics::counter accepted{"airmail_handlers_connects_total", connects_help, {{"answer", "accepted"}}};
inline metrics::counter refused_login{"airmail_handlers_connects_total", connects_help, {{"answer", "login"}}};
inline metrics::counter refused_will{"airmail_handlers_connects_total", connects_help, {{"answer", "will"}}};
inline metrics::counter refused_sessions{"airmail_handlers_connects_total", connects_help, {{"answer", "sessions"}}};
inline metrics::counter refused_other{"airmail_handlers_connects_total", connects_help, {{"answer", "other"}}};

inline char const* const proofs_help = "SCRAM exchanges, logins and re-authentications, by outcome.";
inline metrics::counter proofs_good{"airmail_handlers_scram_exchanges_total", proofs_help, {{"outcome", "proven"}}};
inline metrics::counter proofs_bad{"airmail_handlers_scram_exchanges_total", proofs_help, {{"outcome", "refused"}}};

inline metrics::counter taken_over{"airmail_session_taken_over_total", "Connections ended because their client came again."};
inline metrics::counter resumed{"airmail_session_resumed_total", "Sessions resumed."};
inline metrics::counter expired{"airmail_session_expired_total", "Sessions ended by their expiry."};
inline metrics::counter queues_cut{"airmail_session_queues_cut_total", "Queues shortened because memory ran out; what was dropped is counted by airmail_router_deliveries_dropped_total."};
inline metrics::counter spared_bytes{"airmail_session_queue_spared_bytes_total", "Bytes of queued messages let go of because memory ran out; the disk has them."};
inline metrics::counter wills{"airmail_session_wills_published_total", "Wills published."};
inline metrics::counter wills_held{"airmail_session_wills_held_total", "Wills that waited because many were under way or a receiver's queue was more than half full."};
inline metrics::counter wills_refused{"airmail_session_wills_refused_total", "Wills that the rules no longer allowed."};
inline metrics::gauge sessions{"airmail_session_sessions", "Sessions, connected or kept."};
inline metrics::gauge connected{"airmail_session_connections", "Sessions with a connection."};

inline char const* const pauses_help = "Times a publisher's socket was not read for a while, by cause.";
inline metrics::counter paused_rate{"airmail_handlers_pauses_total", pauses_help, {{"cause", "rate"}}};
inline metrics::counter paused_store{"airmail_handlers_pauses_total", pauses_help, {{"cause", "store"}}};
inline metrics::counter paused_quota{"airmail_handlers_pauses_total", pauses_help, {{"cause", "unanswered"}}};

inline metrics::counter subscribe_refused{"airmail_handlers_subscriptions_refused_total", "Filters of SUBSCRIBE answered with 0x80 or more."};
inline metrics::counter protocol_errors{"airmail_handlers_protocol_errors_total", "Connections closed for what they sent."};
inline metrics::counter parked_overflow{"airmail_handlers_parked_overflow_total", "Peers closed for sending too much before CONNACK."};

}
