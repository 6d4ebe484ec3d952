#pragma once
// Says at compile time, in words, what a plugin class still lacks.

#include "plugins/sdk/plugin.hpp"

#include <concepts>
#include <string_view>
#include <type_traits>

namespace airmail::sdk {

template <class T>
concept has_id = requires { { T::id() } -> std::convertible_to<std::string_view>; };
template <class T>
concept has_declaration = requires { { T::declare() } -> std::same_as<declaration>; };

/// Can this class be a plugin? `static_assert(sdk::well_formed<mine>)`, or let AIRMAIL_PLUGIN explain.
template <class T>
concept well_formed = std::derived_from<T, plugin> && !std::is_abstract_v<T> && std::constructible_from<T, context&> &&
                      has_id<T> && has_declaration<T>;

namespace detail {

/// One sentence per mistake, instead of a page about a failed concept.
template <class T>
struct explain {
    static_assert(std::derived_from<T, plugin>, "a plugin derives publicly from airmail::sdk::plugin");
    static_assert(!std::is_abstract_v<T>, "a plugin must not be abstract");
    static_assert(std::constructible_from<T, context&>,
                  "a plugin needs a public constructor from airmail::sdk::context& (write: using plugin::plugin;)");
    static_assert(has_id<T>, "a plugin needs: static std::string_view id() { return \"vendor.name\"; }");
    static_assert(has_declaration<T>, "a plugin needs: static airmail::sdk::declaration declare()");
    static constexpr bool ok = well_formed<T>;
};

}

}
