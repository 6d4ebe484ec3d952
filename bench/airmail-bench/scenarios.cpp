#include "bench/airmail-bench/scenario.hpp"

namespace airmail::bench {

std::vector<scenario> const& scenarios() {
    static std::vector<scenario> const all{
        {"idle-plain", "Connections that say nothing, plain TCP.", false, idle_plain},
        {"idle-mtls", "Connections that say nothing, TLS 1.3 with client certificates, full handshakes.", false, idle_mtls},
        {"fan-in-q0", "50 publishers to 1 subscriber, 1,000 messages under way, QoS 0.", false, fan_in_q0},
        {"fan-in-q1", "The same at QoS 1.", false, fan_in_q1},
        {"fan-out-q0", "1 publisher to 100 subscribers, 50 messages under way, QoS 0.", false, fan_out_q0},
        {"fan-out-q1", "The same at QoS 1.", false, fan_out_q1},
        {"pairs-q0", "100 publishers, each to its own subscriber, 1,000 messages under way, QoS 0.", false, pairs_q0},
        {"pairs-q1", "The same at QoS 1.", false, pairs_q1},
        {"rate-q0", "100 pairs at a fixed rate, one message at a time, QoS 0; latency from the due time.", false, rate_q0},
        {"rate-q1", "The same at QoS 1.", false, rate_q1},
        {"storm-mtls", "All devices drop and return at once with full TLS 1.3 handshakes, while eight others send PINGREQ.", false, storm_mtls},
        {"slow-consumers", "20 subscribers of a flood (1,000/s of 1 KiB) stop reading; 20 pairs at 500/s beside them, QoS 1, latency from the due time.", false, slow_consumers},
        {"heartbeats", "Devices send heartbeats at QoS 1 as fast as they are acknowledged; a durable session receives them; persistence on.", true, heartbeats},
        {"commands", "One distinct command to each connected device, QoS 1.", false, commands},
        {"campaign-commands", "One signed update command to each connected device through the campaign engine; airmaild only.", true, campaign_commands, campaign_commands_config},
        {"campaign-cancel", "A cancel with a URL out to each device and a download open to four of nine; airmaild only.", true, campaign_cancel, campaign_cancel_config},
    };
    return all;
}

}
