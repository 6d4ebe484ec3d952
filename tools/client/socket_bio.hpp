#pragma once
// A BIO on a socket whose writes never raise SIGPIPE (OpenSSL's own uses write(2), and a library has no business changing
// the process's signals).

typedef struct bio_st BIO;

namespace airmail::client {

/// A BIO over `fd`, which stays the caller's to close. Null when memory is out.
BIO* new_socket_bio(int fd);

}
