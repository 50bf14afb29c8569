# SPDX-License-Identifier: MIT
# cmake -D root= -D version= -P packages.cmake: all other files that contain the version agree.
cmake_minimum_required(VERSION 3.24)
function(expect file regex)
  file(READ ${root}/${file} text)
  if(NOT text MATCHES "${regex}" OR NOT CMAKE_MATCH_1 STREQUAL version)
    message(FATAL_ERROR "${file}: names version '${CMAKE_MATCH_1}', include/mhc/version.hpp ${version}")
  endif()
endfunction()
expect(CITATION.cff "\nversion: ([0-9.]+)\n")
expect(cmake/packaging/vcpkg/vcpkg.json "\"version-semver\": \"([0-9.]+)\"")
expect(cmake/packaging/debian/changelog "^mhc \\(([0-9.]+)-[0-9]+\\)")
