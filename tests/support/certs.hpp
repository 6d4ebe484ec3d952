#pragma once
// A throwaway CA, a server and any number of devices for one test, as files in a temporary directory. Link airmail::ca.

#include "tests/support/temp_dir.hpp"
#include "tools/airmailctl/ca.hpp"

#include <fstream>
#include <sys/stat.h>

namespace airmail::testing {

/// Paths of a key and its certificate (PEM).
struct cert_files {
    std::string key, certificate, serial;
};

class certs {
public:
    /// The server's certificate is for localhost, 127.0.0.1 and ::1.
    certs() : ca_(ctl::certificate_authority::in_memory({.common_name = "Airmail test CA"})) {
        write(ca_file(), ca_.certificate_pem(), 0644);
        server_ = put(ca_.issue_server({"localhost", "127.0.0.1", "::1"}), "server");
    }

    std::string ca_file() const { return dir_ / "ca.crt"; }
    cert_files const& server() const { return server_; }
    /// A certificate of this device; each call makes a new one.
    cert_files device(std::string const& id) { return put(ca_.issue_device(id), "device-" + std::to_string(++count_)); }
    /// Revokes by serial or id and returns the file of a CRL that says so.
    std::string revoke(std::string const& serial_or_id) {
        ca_.revoke(serial_or_id);
        write(dir_ / "ca.crl", ca_.make_crl(), 0644);
        return dir_ / "ca.crl";
    }
    ctl::certificate_authority& ca() { return ca_; }
    temp_dir const& dir() const { return dir_; }

private:
    static void write(std::string const& path, std::string const& text, mode_t mode) {
        std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
        ::chmod(path.c_str(), mode);
    }
    cert_files put(ctl::issued const& i, std::string const& stem) {
        write(dir_ / (stem + ".key"), i.key_pem, 0600);
        write(dir_ / (stem + ".crt"), i.certificate_pem, 0644);
        return {dir_ / (stem + ".key"), dir_ / (stem + ".crt"), i.serial};
    }

    temp_dir dir_;
    ctl::certificate_authority ca_;
    cert_files server_;
    int count_ = 0;
};

}
