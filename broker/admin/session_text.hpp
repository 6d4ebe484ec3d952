#pragma once
// Text that every session makes, kept out of the template.

#include <boost/beast/http/fields.hpp>
#include <string>

namespace airmail::admin {

/// "name: value\n" lines with names in lower case; without Authorization and Cookie: no secret travels further.
std::string header_lines(boost::beast::http::fields const& f);
/// A new correlation id, sortable by time; answered as X-Request-Id and written to logs and audit.
std::string new_request_id();

}
