#pragma once
// Lets doctest print a result<T> whatever T is: its error, or that it holds a value.

#include <boost/system/result.hpp>
#include <doctest/doctest.h>

namespace doctest {

template <class T>
struct StringMaker<boost::system::result<T>> {
    static String convert(boost::system::result<T> const& r) {
        return r.has_value() ? String("a value") : String(("error: " + r.error().message()).c_str());
    }
};

}
