#pragma once
// The built page (web/dist), compiled in when it was there at configure time; otherwise one page that says what to do. Pure.

#include "plugins/sdk/web.hpp"

namespace airmail::dashboard {

/// One file of dist. `data` valid for ever.
struct page_file { std::string_view path, data; };
/// Generated: every file of web/dist, by path ("/index.html"); empty when it was not built.
extern page_file const* const page_files;
extern std::size_t const page_file_count;

/// GET or HEAD of a path outside the API: the file, with its pre-compressed form when accepted, or index.html for the
/// app's own routes.
sdk::web_reply page(sdk::web_request const& r);

}
