# libairmail for other programs: find_package(airmail) gives airmail::broker (and airmail::plugins, the update server), built from
# static rooms. Component `embed`: cmake --install build/dev --component embed (and --component dev, the plugin SDK it stands on).
include(CMakePackageConfigHelpers)

get_property(rooms GLOBAL PROPERTY AIRMAIL_ROOMS)
set(exported airmail_asio airmail_storage airmail_storage_hot)
foreach(room IN LISTS rooms)
    get_target_property(home ${room} SOURCE_DIR)
    if(NOT home MATCHES "^${PROJECT_SOURCE_DIR}/tools/")   # the tools' own libraries stay here
        list(APPEND exported ${room})
    endif()
endforeach()
list(REMOVE_DUPLICATES exported)
foreach(room IN LISTS exported)
    string(REGEX REPLACE "^airmail_" "" short ${room})
    set_target_properties(${room} PROPERTIES EXPORT_NAME ${short})
    target_include_directories(${room} INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/airmail>)
    target_compile_features(${room} INTERFACE cxx_std_20)
endforeach()
install(TARGETS ${exported} EXPORT airmail ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT embed)
install(EXPORT airmail FILE airmail-targets.cmake NAMESPACE airmail:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/airmail COMPONENT embed)
configure_package_config_file(${PROJECT_SOURCE_DIR}/tools/cmake/airmail-config.cmake.in ${PROJECT_BINARY_DIR}/airmail-config.cmake
    INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/airmail)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/airmail-config-version.cmake VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/airmail-config.cmake ${PROJECT_BINARY_DIR}/airmail-config-version.cmake
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/airmail COMPONENT embed)
# The interface is broker/broker.hpp with what it includes, and plugins/standard.hpp; other headers promise nothing, so they stay home.
install(FILES ${PROJECT_SOURCE_DIR}/broker/broker.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/airmail/broker COMPONENT embed)
install(FILES ${PROJECT_SOURCE_DIR}/broker/log/log.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/airmail/broker/log COMPONENT embed)
install(FILES ${PROJECT_SOURCE_DIR}/plugins/standard.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/airmail/plugins COMPONENT embed)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/broker/config/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/airmail/broker/config COMPONENT embed
    FILES_MATCHING PATTERN "*.hpp")
