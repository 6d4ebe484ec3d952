#pragma once
// A socket from accept to CONNECT, on the shard that accepted it. Its story has an end: it becomes an arrival at the home
// shard of its session, or is dropped, at the latest when its one deadline passes.
//
//   accept -> [PROXY header] -> [TLS handshake, identity, strip, OCSP] -> CONNECT read -> home = hash(key) % shards -> arrival, by mail
//                                                              `-> WebSocket (websocket.hpp), which reads the CONNECT itself

#include "broker/net/channel.hpp"
#include "broker/net/errc.hpp"
#include "broker/net/hub.hpp"
#include "broker/shard/timer_wheel.hpp"

namespace airmail::net {

/// Everything of a peer that moves to its home shard.
struct arrival {
    channel wire;
    origin_ptr from;
    endpoint address;
    std::uint64_t number = 0;
    shard::instant accepted_at = 0;
    std::unique_ptr<acl::identity> certificate;   // null when none was presented
    standing_ptr standing;                        // what its certificate's authority says; null when nobody asked
    codec::reason refusal = codec::reason::success;   // what its CONNECT will be answered whatever it says
    std::string_view refused_for;                 // why; static storage
    std::string assigned_id;                      // for a client that sent no client id
    bytes read;                                   // the CONNECT packet, and what came after it
    std::size_t connect_bytes = 0;                // how much of it is the CONNECT
};

/// Owned by: its hub.
class newcomer final : watcher {
public:
    newcomer(hub& h, descriptor fd, origin_ptr from, endpoint address, std::uint64_t number);
    ~newcomer();
    /// Begins; may end at once.
    void start();

private:
    friend class hub;
    enum class stage : std::uint8_t { proxy, handshake, authority, connect, over };

    void ready(std::uint32_t events) override;
    void read_proxy_header();
    void believe(proxied const& told);
    void begin_tls();
    void begin_mqtt();
    void shake();
    void welcome_certificate();
    void ask_authority(std::shared_ptr<acl::ocsp_question const> about);
    void heed_authority(ocsp_desk::word said);
    void read_connect();
    void note_days_left(acl::identity const& who);
    void read();
    void look_for_connect();
    /// Its socket goes on without it.
    std::unique_ptr<arrival> let_go();
    void drop(errc why, std::string_view text = {});
    static void too_late(shard::timer& t);
    void count_handshake_failure();

    struct deadline : shard::timer {
        explicit deadline(newcomer& n) : timer{&newcomer::too_late}, of{n} {}
        newcomer& of;
    };

    hub& hub_;
    std::unique_ptr<arrival> peer_;
    std::shared_ptr<tls_context const> security_;   // during the handshake: the strip belongs to whoever began it
    std::shared_ptr<newcomer*> self_;   // while an authority is asked: null in it once this is gone
    deadline deadline_{*this};
    std::size_t place_ = 0;   // in hub_.newcomers_
    stage stage_ = stage::connect;
    bool counted_in_ = true;  // with admission; false once it is the arrival's to count out
    bool handshake_counted_ = false;
};

}
