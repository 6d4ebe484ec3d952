#pragma once
// SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side: the client proves that it knows the password and never sends it, and
// the server proves that it knows the verifier. Pure; checking a proof takes a few microseconds.
//
// A verifier is a line of the password file. It is not the password, and whoever steals it can pretend to be the server, but
// cannot log in as the client:
//     user:$scram-sha-256$ITERATIONS$SALT$STOREDKEY$SERVERKEY          the last three in base64

#include <boost/system/result.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace airmail::acl {

/// The one method of enhanced authentication that is built in.
inline constexpr std::string_view scram_method = "SCRAM-SHA-256";

struct scram_verifier {
    unsigned iterations = 0;                       // 4,096 to 1,000,000
    std::string salt, stored_key, server_key;      // bytes: 8 to 64, 32, 32
};

/// Reads `$scram-sha-256$...`; empty when it is not one that could be used.
std::optional<scram_verifier> read_scram(std::string_view stored);
/// Makes one with fresh salt; `iterations` 0 = 15,000 (RFC 7677). Takes milliseconds: not on a shard. Error: errc::crypto.
/// Passwords are taken as they are: SASLprep changes nothing in ASCII, and other text must come normalised (NFKC).
boost::system::result<std::string> make_scram(std::string_view password, unsigned iterations = 0);
/// Does this password belong to the verifier? As slow as its iterations.
bool verify_scram(scram_verifier const& v, std::string_view password);

/// The user that a client-first-message names, unescaped into `into`; empty when there is none. For finding a session's home.
std::string_view scram_user(std::string_view client_first, std::string& into);

/// One exchange: begin(), then finish(). A user without a verifier goes through the same steps with a made-up salt that is the
/// same each time, and fails at the end: nobody learns who exists.
class scram_exchange {
public:
    using look_up = std::function<std::optional<scram_verifier>(std::string_view user)>;
    /// @param client_first "n,,n=USER,r=NONCE", at most 1,024 bytes  @return server-first, or empty when it is not acceptable
    std::string begin(std::string_view client_first, look_up const& find);
    /// @param client_final "c=biws,r=NONCE,p=PROOF"   @return server-final "v=...", or empty: the proof is wrong
    std::string finish(std::string_view client_final);
    std::string const& user() const { return user_; }

private:
    std::string user_, header_, first_bare_, server_first_, nonce_;
    scram_verifier verifier_;
    bool known_ = false, under_way_ = false;
};

}
