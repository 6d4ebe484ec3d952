#pragma once
// From a request to who answers it: doors, roles, then the house. The order of checks is readable in decide().

#include "broker/admin/backend.hpp"

namespace airmail::admin {

/// viewer < operator < admin; device and unknown words reach nothing.
bool role_suffices(std::string_view has, std::string_view needs);

/// What the server must do after the header was read, before any body.
struct plan {
    route_match match;
    bool refuse = false;
    response refusal;        // when refuse
    bool needs_login = false; // a role is needed and the door does not give one: look at the bearer key first
};

/// Doors first: metrics answers its three pages only; public HTTPS answers only routes that are public by themselves.
plan decide(backend& b, request const& r);
/// After the bearer key was looked up (or the door gave a role): 401, 403, or nothing to refuse.
plan admit(plan p, request const& r);
/// /metrics, /healthz, /readyz; status 404 for anything else.
response health(backend& b, request const& r);

}
