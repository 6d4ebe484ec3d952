#pragma once
// The dashboard's backend as the program adds it to its broker: b.serve_web(dashboard::make_service()).

#include "plugins/sdk/web.hpp"

namespace airmail::dashboard {

std::unique_ptr<sdk::web_service> make_service();

}
