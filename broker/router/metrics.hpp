#pragma once
// What this room counts. A dropped message always has a cause here.

#include "broker/log/metrics.hpp"

namespace airmail::router::metric {

inline metrics::counter sent_qos0{"airmail_router_publishes_sent_total", "PUBLISH packets put into out-buffers.", {{"qos", "0"}}};
inline metrics::counter sent_qos1{"airmail_router_publishes_sent_total", "PUBLISH packets put into out-buffers.", {{"qos", "1"}}};
inline metrics::counter sent_qos2{"airmail_router_publishes_sent_total", "PUBLISH packets put into out-buffers.", {{"qos", "2"}}};

inline char const* const dropped_help = "Deliveries to one subscriber that were dropped, by cause.";
inline metrics::counter dropped_offline{"airmail_router_deliveries_dropped_total", dropped_help, {{"cause", "offline"}}};
inline metrics::counter dropped_slow{"airmail_router_deliveries_dropped_total", dropped_help, {{"cause", "slow"}}};
inline metrics::counter dropped_memory{"airmail_router_deliveries_dropped_total", dropped_help, {{"cause", "memory"}}};
inline metrics::counter dropped_too_large{"airmail_router_deliveries_dropped_total", dropped_help, {{"cause", "too_large"}}};
inline metrics::counter dropped_queue_full{"airmail_router_deliveries_dropped_total", dropped_help, {{"cause", "queue_full"}}};
inline metrics::counter dropped_not_allowed{"airmail_router_deliveries_dropped_total", dropped_help, {{"cause", "not_allowed"}}};
inline metrics::counter dropped_no_member{"airmail_router_deliveries_dropped_total", dropped_help, {{"cause", "no_group_member"}}};
inline metrics::counter expired{"airmail_router_deliveries_dropped_total", dropped_help, {{"cause", "expired"}}};
inline metrics::counter lost_records{"airmail_router_deliveries_dropped_total", dropped_help, {{"cause", "record_lost"}}};

inline metrics::counter routed{"airmail_router_messages_total", "Messages routed on the shard of their publisher."};
inline metrics::counter forwarded{"airmail_router_messages_forwarded_total", "Messages mailed to another shard."};
inline metrics::counter matches_cut{"airmail_router_matches_cut_total", "Matches that met the bound on visited nodes."};
inline metrics::counter replays_cut{"airmail_router_retained_replays_cut_total", "Retained replays that met their bound."};
inline metrics::counter retained_refused{"airmail_router_retained_refused_total", "Retained messages refused at a bound."};
inline metrics::gauge subscriptions{"airmail_router_subscriptions", "Subscriptions of all sessions."};
inline metrics::counter sent_payload{"airmail_router_publish_sent_bytes_total", "Payload bytes of PUBLISH packets put into out-buffers."};
inline metrics::gauge shared_subscriptions{"airmail_router_shared_subscriptions", "Shared subscriptions of all sessions."};
inline metrics::gauge owed_messages{"airmail_router_owed_messages", "Messages of QoS 1 and 2 that sessions are owed, waiting or under way."};
inline metrics::gauge owed_bytes{"airmail_router_owed_bytes", "Bytes of them, in steps of 64."};
inline metrics::gauge retained_bytes{"airmail_router_retained_bytes", "Bytes of retained messages held."};
inline metrics::counter handed_on{"airmail_router_shared_handed_on_total", "Messages of members that left a shared group, given to another."};
inline metrics::gauge retained_messages{"airmail_router_retained_messages", "Retained messages held."};

}
