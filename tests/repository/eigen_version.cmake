# SPDX-License-Identifier: MIT
# cmake -D root= -D work= -D prefix= -D version= -D generator= -D compiler= -P eigen_version.cmake
# configures a user of the installed library and the library itself with an Eigen3Config.cmake that
# claims to be `version` and is as strict as the real one.
cmake_minimum_required(VERSION 3.24)
set(eigen ${work}/eigen/share/eigen3/cmake)
file(WRITE ${eigen}/Eigen3Config.cmake
     "if(NOT TARGET Eigen3::Eigen)\n  add_library(Eigen3::Eigen INTERFACE IMPORTED)\nendif()\n")
include(CMakePackageConfigHelpers)
write_basic_package_version_file(
  ${eigen}/Eigen3ConfigVersion.cmake
  VERSION ${version}
  COMPATIBILITY SameMajorVersion
  ARCH_INDEPENDENT)

set(common -G ${generator} -DCMAKE_CXX_COMPILER=${compiler} -DEigen3_DIR=${eigen})
file(REMOVE_RECURSE ${work}/user ${work}/library)
foreach(project IN ITEMS user library)
  if(project STREQUAL user)
    set(command ${CMAKE_COMMAND} -S ${root}/tests/consumer/find_package -B ${work}/user ${common}
                "-DCMAKE_PREFIX_PATH=${prefix}")
  else()
    set(command ${CMAKE_COMMAND} -S ${root} -B ${work}/library ${common} -DMHC_BUILD_TESTS=OFF
                -DMHC_BUILD_EXAMPLES=OFF -DMHC_BUILD_BENCHMARKS=OFF)
  endif()
  execute_process(COMMAND ${command} RESULT_VARIABLE result OUTPUT_VARIABLE text
                  ERROR_VARIABLE text)
  string(REGEX REPLACE "[ \n]+" " " text "${text}")
  if(version VERSION_LESS 3.4)
    if(result EQUAL 0 OR NOT text MATCHES "mhc needs Eigen 3.4 or newer, found ${version} in ")
      message(FATAL_ERROR "${project}: Eigen ${version} should be refused by name:\n${text}")
    endif()
  elseif(NOT result EQUAL 0)
    message(FATAL_ERROR "${project}: Eigen ${version} should be accepted:\n${text}")
  endif()
endforeach()
