#include "storage/store.hpp"
#include <doctest/doctest.h>
TEST_CASE("x") {}
