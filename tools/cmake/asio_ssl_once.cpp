// The one translation unit that compiles Asio's TLS, for connections that we open (Redis, bridges, airmailctl). Whoever links it and opens
// none pays nothing; devices come in through the broker's own TLS (DECISIONS).
#include <boost/asio/ssl/impl/src.hpp>
