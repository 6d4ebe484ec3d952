#pragma once
// From a mosquitto.db to our hot store: retained messages, sessions with their subscriptions, and what waits for them.

#include "storage/store.hpp"
#include "tools/migrate/mosquitto_db.hpp"
#include "tools/migrate/report.hpp"

namespace airmail::migrate {

struct imported {
    std::size_t sessions = 0, subscriptions = 0, retained = 0, waiting = 0, expired = 0;
};

/// Writes everything into an open, started, empty store and waits until it is on disk. Client and user together are the
/// session, as in Mosquitto the client id is: packet ids and what was acknowledged go on where they were.
/// @param wall_s  unix time now: expiry goes on counting
/// @return nothing, with `why`, when the store refuses; then the store must be thrown away
std::optional<imported> import_db(mosquitto_db const& db, storage::store& into, std::int64_t wall_s, report& say, std::string& why);

}
