// The one translation unit that compiles Asio's TLS: here for airmailctl (accepted sockets of the broker have their own, DECISIONS; its bridges compile it too).
#include <boost/asio/ssl/impl/src.hpp>
