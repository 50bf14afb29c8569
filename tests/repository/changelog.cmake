# SPDX-License-Identifier: MIT
# cmake -D root=... -D version=... -P changelog.cmake: the newest entry is for this version.
cmake_minimum_required(VERSION 3.24)
file(READ ${root}/CHANGELOG.md text)
string(REGEX MATCH "## \\[([0-9.]+)\\]" entry "${text}")
if(NOT CMAKE_MATCH_1 STREQUAL version)
  message(FATAL_ERROR
    "CHANGELOG.md begins with '${CMAKE_MATCH_1}', include/mhc/version.hpp says ${version}")
endif()
