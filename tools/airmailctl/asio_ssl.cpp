// The one translation unit that compiles Asio's TLS: of all programs only airmailctl uses it (the broker has its own, DECISIONS).
#include <boost/asio/ssl/impl/src.hpp>
