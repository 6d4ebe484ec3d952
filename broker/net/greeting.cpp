#include "broker/net/greeting.hpp"

#include "broker/codec/connack.hpp"
#include "broker/codec/connect.hpp"
#include "broker/handlers/home.hpp"
#include "broker/handlers/words.hpp"
#include "broker/net/counters.hpp"

namespace airmail::net {

greeting greet(byte_view read, std::size_t packet_bytes_max) {
    using enum greeting::verdict;
    greeting g;
    auto const refuse = [&](std::string_view why) { return g.is = refused, g.why = why, std::move(g); };
    // What does not begin with a CONNECT gets no answer: it may not even be MQTT. [MQTT-3.1.0-1]
    if (!read.empty() && read[0] >> 4 != static_cast<int>(codec::packet_type::connect)) return refuse("the first packet is not a CONNECT");
    auto const f = codec::next_frame(read, codec::version::v5, packet_bytes_max);
    if (!f) return refuse(codec::name(f.error()));
    if (!f->complete()) return g;
    auto const c = codec::decode_connect(f->body);
    if (c) return g.is = connect, g.size = f->size, g.connect = *c, g;
    // [MQTT-3.1.4-1] and [MQTT-3.1.2-1]: a CONNACK may say why; a malformed CONNECT of 3.x is closed without one.
    auto const answer_in = codec::answer_version(f->body);
    if (answer_in == codec::version::v5 || c.error() == codec::reason::unsupported_protocol_version ||
        c.error() == codec::reason::client_identifier_not_valid) {
        codec::connack_view said{.code = c.error()};
        said.props.explain(handlers::words(c.error()));
        codec::encode(g.answer, said, answer_in);
    }
    return refuse(codec::name(c.error()));
}

unsigned home_of(hub& here, arrival& a, codec::connect_view const& c) {
    auto const& others = here.others();
    if (c.client_id.empty()) a.assigned_id = a.from->rules->auto_id_prefix + others.assign_client_id();  // [MQTT-3.1.3-6]
    auto const id = handlers::client_id_of(*a.from->rules, c, a.assigned_id);
    auto const key = handlers::key_of(*a.from->rules, a.certificate.get(), c, id);
    return static_cast<unsigned>(others.hash(key) % here.shard().count());
}

void send_home(hub& here, unsigned home, std::unique_ptr<arrival> a) {
    if (home == here.shard().index()) return here.adopt(std::move(a));
    count::handed_over.add();
    here.shard().post(home, [to = here.others().hubs[home], a = std::move(a)]() mutable { to->adopt(std::move(a)); });
}

}
