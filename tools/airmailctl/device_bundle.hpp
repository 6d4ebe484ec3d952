#pragma once
// Everything a device needs, in one file (`airmailctl device add --bundle`): its private key, its certificate, the CA and the broker's
// address. PEM with a few header lines, so that one file serves every PEM reader:
//   mosquitto_pub --cafile F --cert F --key F -h HOST -p PORT ...

#include "tools/airmailctl/ca.hpp"

namespace airmail::ctl {

struct device_bundle {
    std::string id;
    std::string host;
    std::uint16_t port = 8883;
    std::string key_pem, certificate_pem, ca_pem;
    std::string keys_json;                  // the envelope of keys.json the device starts with; may be empty

    std::string to_text() const;
    /// Throws failure: a part missing, the key not the certificate's, the certificate not of this CA or of another id.
    static device_bundle parse(std::string_view text);
    /// A new file, 0600. Throws failure.
    void save(std::string const& path) const;
    /// Refuses a file that others may read.
    static device_bundle load(std::string const& path);
};

/// A new certificate of this CA, and with it the key list that DIR/keys/keys.json holds, if there is one. Throws failure.
device_bundle issue_bundle(certificate_authority& ca, std::string const& ca_directory, std::string const& serial, int days, std::string host, std::uint16_t port);

}
