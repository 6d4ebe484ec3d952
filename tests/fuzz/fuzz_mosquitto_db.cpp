// links: airmail::migrate
// A mosquitto.db of any bytes: read or refused with a reason, never beyond its end; what is read fits into the file.

#include "tools/migrate/mosquitto_db.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string why;
    auto const db = airmail::migrate::read_mosquitto_db({data, size}, why);
    if (!db) {
        if (why.empty()) std::abort();
        return 0;
    }
    std::size_t bytes = 0;
    for (auto const& m : db->messages) bytes += m.topic.size() + m.payload.size() + m.properties.size() + m.source_id.size() + m.source_user.size() + 40;
    for (auto const& c : db->clients) bytes += c.id.size() + c.user.size() + 24;
    for (auto const& s : db->subscriptions) bytes += s.client.size() + s.filter.size() + 20;
    for (auto const& m : db->client_messages) bytes += m.client.size() + 24;
    if (bytes > size) std::abort();
    return 0;
}
