# SPDX-License-Identifier: MIT
# cmake -D from= -D to= -P other_version.cmake: copies the headers and sets their version to 9.8.7.
cmake_minimum_required(VERSION 3.24)
file(REMOVE_RECURSE ${to})
file(COPY ${from}/mhc DESTINATION ${to})
file(READ ${to}/mhc/version.hpp text)
string(REGEX REPLACE "(MHC_VERSION_MAJOR) [0-9]+" "\\1 9" text "${text}")
string(REGEX REPLACE "(MHC_VERSION_MINOR) [0-9]+" "\\1 8" text "${text}")
string(REGEX REPLACE "(MHC_VERSION_PATCH) [0-9]+" "\\1 7" text "${text}")
string(REGEX REPLACE "v[0-9]+_[0-9]+" "v9_8" text "${text}")
file(WRITE ${to}/mhc/version.hpp "${text}")
