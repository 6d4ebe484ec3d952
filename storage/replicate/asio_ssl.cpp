// The one translation unit that compiles Asio's TLS: for the connection to Redis, and for airmailctl, which links this room (devices
// come in through the broker's own TLS, DECISIONS).
#include <boost/asio/ssl/impl/src.hpp>
