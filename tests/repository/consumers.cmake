# SPDX-License-Identifier: MIT
# The library as users build it: each folder of tests/consumer is a small project around
# tests/consumer/main.cpp.
set(consumer_dir ${PROJECT_SOURCE_DIR}/tests/consumer)
set(consumer_build ${CMAKE_CURRENT_BINARY_DIR}/consumer)
set(installed "${consumer_build}/moved prefix") # a space in the path, on purpose

# Installed to one folder and moved to another: the installation must be relocatable.
mhc_add_script_test(
  consumer.install COMMAND
  ${CMAKE_COMMAND}
  -D root=${PROJECT_SOURCE_DIR}
  -D build=${PROJECT_BINARY_DIR}
  -D includedir=${CMAKE_INSTALL_INCLUDEDIR}
  -D first=${consumer_build}/prefix
  "-Dlast=${installed}"
  -P ${CMAKE_CURRENT_SOURCE_DIR}/install.cmake
  PROPERTIES FIXTURES_SETUP installed)

function(mhc_add_consumer_test name folder)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "OPTIONS;PROPERTIES")
  mhc_add_script_test(
    consumer.${name}
    COMMAND
    ${CMAKE_CTEST_COMMAND}
    --build-and-test
    ${consumer_dir}/${folder}
    ${consumer_build}/${name}
    --build-generator
    ${CMAKE_GENERATOR}
    --build-makeprogram
    ${CMAKE_MAKE_PROGRAM}
    --build-options
    -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
    -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF
    ${arg_OPTIONS}
    --test-command
    consumer
    PROPERTIES
    ${arg_PROPERTIES})
endfunction()

set(needs_install PROPERTIES FIXTURES_REQUIRED installed)
mhc_add_consumer_test(find_package find_package OPTIONS "-DCMAKE_PREFIX_PATH=${installed}"
                      -Dversion=${PROJECT_VERSION} ${needs_install})
mhc_add_consumer_test(add_subdirectory add_subdirectory)
mhc_add_consumer_test(fetch_content fetch_content OPTIONS -Dexpected=sources)
mhc_add_consumer_test(fetch_content_installed fetch_content OPTIONS -Dexpected=installed
                      "-DCMAKE_PREFIX_PATH=${installed}" ${needs_install})
mhc_add_consumer_test(pkg_config pkg_config OPTIONS "-DCMAKE_PREFIX_PATH=${installed}"
                      ${needs_install})
if(TARGET mhc_c)
  mhc_add_consumer_test(c_find_package c_find_package OPTIONS "-DCMAKE_PREFIX_PATH=${installed}"
                        ${needs_install})
  mhc_add_consumer_test(c_pkg_config c_pkg_config OPTIONS "-DCMAKE_PREFIX_PATH=${installed}"
                        ${needs_install})
endif()

# mhc_add_project_test(name script [VARIABLES -D...] [PROPERTIES ...]): SCRIPT.cmake writes a project
# into its own folder and builds it.
function(mhc_add_project_test name script)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "VARIABLES;PROPERTIES")
  mhc_add_script_test(
    ${name}
    COMMAND
    ${CMAKE_COMMAND}
    -D root=${PROJECT_SOURCE_DIR}
    -D work=${consumer_build}/${name}
    "-Dprefix=${installed}"
    -D generator=${CMAKE_GENERATOR}
    -D compiler=${CMAKE_CXX_COMPILER}
    -D eigen=${eigen_include}
    ${arg_VARIABLES}
    -P ${CMAKE_CURRENT_SOURCE_DIR}/${script}.cmake
    PROPERTIES
    ${arg_PROPERTIES})
endfunction()

mhc_add_project_test(consumer.include_path include_path)

set(compilers ${CMAKE_CXX_COMPILER})
find_program(MHC_OTHER_COMPILER NAMES clang++ g++ NO_CACHE)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND MHC_OTHER_COMPILER MATCHES "clang")
  list(APPEND compilers ${MHC_OTHER_COMPILER})
endif()
mhc_add_script_test(
  consumer.single_header
  COMMAND
  ${CMAKE_COMMAND}
  -D root=${PROJECT_SOURCE_DIR}
  -D work=${consumer_build}/single_header
  -D "compilers=${compilers}"
  -D eigen=${eigen_include}
  -P ${CMAKE_CURRENT_SOURCE_DIR}/single_header.cmake)

# No version range that includes 3.4.0 and 5 is accepted by Eigen's version file, so ours must not
# request one.
foreach(eigen_version IN ITEMS 3.3.9 3.4.0 5.0.1)
  mhc_add_project_test(consumer.eigen_${eigen_version} eigen_version VARIABLES
                       -Dversion=${eigen_version} ${needs_install})
endforeach()

mhc_add_project_test(readme.cmake_blocks readme_cmake ${needs_install})
mhc_add_project_test(readme.sh_block readme_sh ${needs_install})
