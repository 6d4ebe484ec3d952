#pragma once
// Where a session lives is decided before its CONNECT is handled, from the same words that will make its key.

#include "acl/scram.hpp"
#include "broker/handlers/protocol.hpp"

#include <string>

namespace airmail::handlers {

/// The client id that counts: the user name where use_username_as_clientid says so, the client's own, or the one we made.
inline std::string_view client_id_of(listener_rules const& rules, codec::connect_view const& c, std::string_view assigned) {
    if (rules.username_is_client_id) return c.user_name.value_or("");
    return c.client_id.empty() ? assigned : std::string_view{c.client_id};
}

/// The session key of a CONNECT: the certificate's identity where the listener lets the certificate decide, else the user
/// name (a wrong password is refused on the shard it names) or the one that SCRAM begins with, else nobody. Views point into the
/// arguments, or into a text of this thread that the next call overwrites.
inline session_key key_of(listener_rules const& rules, acl::identity const* certificate, codec::connect_view const& c,
                          std::string_view client_id) {
    session_key k;
    if (certificate && (rules.device || rules.username_is_identity)) k.tenant = certificate->tenant, k.identity = certificate->name;
    else if (c.user_name) k.identity = *c.user_name;
    else if (c.props.has(codec::prop::auth_data)) {
        thread_local std::string user;
        k.identity = acl::scram_user(as_text(c.props.auth_data), user);
    }
    k.client_id = client_id;
    return k;
}

}
