#include "tools/migrate/mosquitto_db.hpp"

#include <cstring>
#include <string_view>

namespace airmail::migrate {
namespace {

constexpr std::string_view magic{"\x00\xB5\x00mosquitto db", 15};
enum chunk : std::uint32_t { cfg = 1, base_message = 2, client_msg = 3, retain = 4, subscription = 5, client = 6 };

/// Reads one chunk. Packed C structs: 16 and 32 bits are big-endian, 64 bits the writer's own (little-endian on what we run on).
class reader {
public:
    explicit reader(std::span<std::uint8_t const> b) : rest_{b} {}
    std::uint8_t u8() { return take(1) ? at_[0] : std::uint8_t{0}; }
    std::uint16_t u16() { return take(2) ? static_cast<std::uint16_t>(at_[0] << 8 | at_[1]) : std::uint16_t{0}; }
    std::uint32_t u32() {
        if (!take(4)) return 0;
        return std::uint32_t{at_[0]} << 24 | std::uint32_t{at_[1]} << 16 | std::uint32_t{at_[2]} << 8 | at_[3];
    }
    std::uint64_t host64() {
        std::uint64_t v = 0;
        if (take(8)) std::memcpy(&v, at_, 8);
        return v;
    }
    std::string text(std::size_t n) { return take(n) ? std::string{reinterpret_cast<char const*>(at_), n} : std::string{}; }
    std::vector<std::uint8_t> bytes(std::size_t n) { return take(n) ? std::vector<std::uint8_t>{at_, at_ + n} : std::vector<std::uint8_t>{}; }
    void skip(std::size_t n) { take(n); }
    std::size_t left() const { return rest_.size(); }
    bool ok() const { return ok_; }
    /// A length as MQTT writes it.
    std::size_t varint() {
        std::size_t v = 0;
        for (unsigned shift = 0; shift < 28; shift += 7) {
            auto const b = u8();
            v |= std::size_t{b & 0x7Fu} << shift;
            if (!(b & 0x80)) return v;
        }
        ok_ = false;
        return 0;
    }

private:
    bool take(std::size_t n) {
        if (!ok_ || n > rest_.size()) return ok_ = false;
        at_ = rest_.data();
        rest_ = rest_.subspan(n);
        return true;
    }
    std::span<std::uint8_t const> rest_;
    std::uint8_t const* at_ = nullptr;
    bool ok_ = true;
};

void read_message(reader& in, mosquitto_db& out) {
    stored_message m;
    m.id = in.host64();
    m.expires_at = static_cast<std::int64_t>(in.host64());
    auto const payload = in.u32();
    in.u16();   // packet id at its source
    auto const source = in.u16(), user = in.u16(), topic = in.u16();
    in.u16();   // port of its source
    m.qos = in.u8();
    m.retain = in.u8() != 0;
    m.source_id = in.text(source);
    m.source_user = in.text(user);
    m.topic = in.text(topic);
    m.payload = in.bytes(payload);
    if (in.ok() && in.left() > 0) m.properties = in.bytes(in.varint());
    if (in.ok()) out.messages.push_back(std::move(m));
}

void read_client_message(reader& in, mosquitto_db& out) {
    client_message m;
    m.message = in.host64();
    m.packet_id = in.u16();
    auto const id = in.u16();
    m.qos = in.u8();
    m.state = in.u8();
    auto const bits = in.u8();
    m.retain = bits & 0xF0, m.dup = bits & 0x0F;
    m.incoming = in.u8() == 0;
    m.client = in.text(id);
    if (in.ok() && in.left() > 0) {
        in.varint();
        if (in.u8() == 0x0B) m.subscription_id = static_cast<std::uint32_t>(in.varint());
    }
    if (in.ok()) out.client_messages.push_back(std::move(m));
}

void read_client(reader& in, mosquitto_db& out) {
    stored_client c;
    c.session_ends_at = static_cast<std::int64_t>(in.host64());
    c.expiry_s = in.u32();
    in.u16();   // last packet id
    auto const id = in.u16();
    std::uint16_t user = 0;
    if (out.version >= 6) {
        c.listener = in.u16();
        user = in.u16();
        in.skip(4);
    }
    c.id = in.text(id);
    c.user = in.text(user);
    if (in.ok()) out.clients.push_back(std::move(c));
}

void read_subscription(reader& in, mosquitto_db& out) {
    stored_subscription s;
    s.id = in.u32();
    auto const id = in.u16(), topic = in.u16();
    s.qos = in.u8();
    s.options = in.u8();
    in.skip(2);
    s.client = in.text(id);
    s.filter = in.text(topic);
    if (in.ok()) out.subscriptions.push_back(std::move(s));
}

void read_chunk(std::uint32_t type, reader& in, mosquitto_db& out) {
    switch (type) {
    case cfg:
        in.host64();
        out.clean_shutdown = in.u8() == 1;
        if (in.u8() != 8) in.skip(SIZE_MAX);   // ids of another width than any Mosquitto writes
        return;
    case base_message: return read_message(in, out);
    case client_msg: return read_client_message(in, out);
    case retain: return out.retained.push_back(in.host64());
    case subscription: return read_subscription(in, out);
    case client: return read_client(in, out);
    default: ++out.unknown_chunks;
    }
}

}

std::optional<mosquitto_db> read_mosquitto_db(std::span<std::uint8_t const> file, std::string& why) {
    reader in{file};
    if (in.text(magic.size()) != magic) return why = "byte 0: this is no mosquitto.db", std::nullopt;
    in.u32();   // a checksum that is always 0
    mosquitto_db out;
    out.version = in.u32();
    if (!in.ok() || out.version < 5 || out.version > 6)
        return why = "byte 19: format " + std::to_string(out.version) + "; 5 and 6 are read (Mosquitto 1.6 to 2.1): let a Mosquitto 2.0 load and save the file once", std::nullopt;
    while (in.left() > 0) {
        auto const at = file.size() - in.left();
        auto const type = in.u32(), size = in.u32();
        if (!in.ok() || size > in.left()) return why = "byte " + std::to_string(at) + ": the file ends inside of a chunk", std::nullopt;
        reader body{file.subspan(at + 8, size)};
        in.skip(size);
        read_chunk(type, body, out);
        if (!body.ok()) return why = "byte " + std::to_string(at) + ": a chunk of type " + std::to_string(type) + " and " + std::to_string(size) + " bytes contradicts itself", std::nullopt;
    }
    return out;
}

}
