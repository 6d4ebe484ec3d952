# airmail::plugin_new: the library behind `airmailctl plugin new`. Its files are compiled in as text.
set(template_root ${CMAKE_CURRENT_LIST_DIR}/plugin_template)
file(GLOB_RECURSE template_files CONFIGURE_DEPENDS RELATIVE ${template_root} ${template_root}/*)
set(AIRMAIL_PLUGIN_TEMPLATE "")
foreach(file IN LISTS template_files)
    # Semicolons and brackets are CMake's own list signs: READ keeps them only while the text is never treated as a list.
    file(READ ${template_root}/${file} text)
    string(APPEND AIRMAIL_PLUGIN_TEMPLATE "    {\"${file}\", R\"TEMPLATE(${text})TEMPLATE\"},\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${template_root}/${file})
endforeach()
configure_file(${CMAKE_CURRENT_LIST_DIR}/plugin_template.hpp.in ${CMAKE_BINARY_DIR}/generated/tools/airmailctl/plugin_template.hpp @ONLY)

add_library(airmail_plugin_new STATIC ${CMAKE_CURRENT_LIST_DIR}/plugin_new.cpp)
target_include_directories(airmail_plugin_new PUBLIC ${PROJECT_SOURCE_DIR} PRIVATE ${CMAKE_BINARY_DIR}/generated)
add_library(airmail::plugin_new ALIAS airmail_plugin_new)
