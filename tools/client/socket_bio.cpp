#include "tools/client/socket_bio.hpp"

#include <cerrno>
#include <cstdint>
#include <openssl/bio.h>
#include <sys/socket.h>

namespace airmail::client {
namespace {

int descriptor(BIO* b) { return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(b))); }

bool later(ssize_t n) { return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR); }

int write(BIO* b, char const* data, int size) {
    BIO_clear_retry_flags(b);
    auto const n = ::send(descriptor(b), data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (later(n)) BIO_set_retry_write(b);
    return static_cast<int>(n);
}

int read(BIO* b, char* data, int size) {
    BIO_clear_retry_flags(b);
    auto const n = ::recv(descriptor(b), data, static_cast<std::size_t>(size), 0);
    if (later(n)) BIO_set_retry_read(b);
    if (n == 0) BIO_set_flags(b, BIO_FLAGS_IN_EOF);
    return static_cast<int>(n);
}

long control(BIO* b, int what, long, void*) {
    if (what == BIO_CTRL_EOF) return BIO_test_flags(b, BIO_FLAGS_IN_EOF) ? 1 : 0;
    return what == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* method() {
    static BIO_METHOD* const one = [] {
        auto* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "airmail socket");
        BIO_meth_set_write(m, write);
        BIO_meth_set_read(m, read);
        BIO_meth_set_ctrl(m, control);
        return m;
    }();
    return one;
}

}

BIO* new_socket_bio(int fd) {
    auto* const b = BIO_new(method());
    if (b) {
        BIO_set_data(b, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
        BIO_set_init(b, 1);
    }
    return b;
}

}
