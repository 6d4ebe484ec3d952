# What the house is built from: Debian 12 packages, found once, given short names. tools/setup installs them.

find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(OpenSSL 3.0 REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(LMDB REQUIRED IMPORTED_TARGET lmdb)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(SPDLOG REQUIRED IMPORTED_TARGET spdlog)
pkg_check_modules(ARGON2 REQUIRED IMPORTED_TARGET libargon2)
find_path(DOCTEST_INCLUDE doctest/doctest.h REQUIRED)
find_path(FLATBUFFERS_INCLUDE flatbuffers/flatbuffers.h REQUIRED)
find_library(CCTZ_LIBRARY cctz REQUIRED)      # summer time: libstdc++ 12 has no zones, and the C library only one at a time
find_program(FLATC flatc REQUIRED)

add_library(airmail_doctest INTERFACE)
target_include_directories(airmail_doctest SYSTEM INTERFACE ${DOCTEST_INCLUDE})
add_library(airmail::doctest ALIAS airmail_doctest)

# Asio and Beast are compiled once, here. The definitions are PUBLIC: a translation unit that saw the headers
# without them would break the one-definition rule.
add_library(airmail_asio STATIC ${PROJECT_SOURCE_DIR}/tools/cmake/asio_once.cpp ${PROJECT_SOURCE_DIR}/tools/cmake/asio_ssl_once.cpp)
target_compile_definitions(airmail_asio PUBLIC
    BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_NO_TS_EXECUTORS)
target_link_libraries(airmail_asio PUBLIC Boost::headers OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
add_library(airmail::asio ALIAS airmail_asio)
