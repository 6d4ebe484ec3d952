// The one translation unit of the daemon that compiles Asio's TLS: bridges go out by it. Accepted sockets never do (DECISIONS).
#include <boost/asio/ssl/impl/src.hpp>
