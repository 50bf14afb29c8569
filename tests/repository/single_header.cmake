# SPDX-License-Identifier: MIT
# cmake -D root= -D work= -D compilers= -D eigen= -P single_header.cmake: the single header compiles
# with Eigen alone and without warnings, with each available compiler, and two units link.
cmake_minimum_required(VERSION 3.24)
file(REMOVE_RECURSE ${work})
set(single ${work}/include/mhc/mhc.hpp)
execute_process(COMMAND ${CMAKE_COMMAND} -P ${root}/cmake/amalgamate.cmake ${single}
                        COMMAND_ERROR_IS_FATAL ANY)
file(SIZE ${single} size)
file(WRITE ${work}/other.cpp "#include <mhc/mhc.hpp>\n"
     "mhc::Tokens<float> other() { return mhc::Tokens<float>(1, 1); }\n")
foreach(compiler IN LISTS compilers)
  string(TIMESTAMP begin "%s")
  execute_process(
    COMMAND ${compiler} -std=c++17 -O2 -Wall -Wextra -Wpedantic -Werror -I${work}/include -isystem
            ${eigen} ${root}/tests/consumer/main.cpp ${work}/other.cpp -o ${work}/consumer
            COMMAND_ERROR_IS_FATAL ANY)
  string(TIMESTAMP end "%s")
  math(EXPR seconds "${end} - ${begin}")
  execute_process(COMMAND ${work}/consumer COMMAND_ERROR_IS_FATAL ANY)
  message("${compiler}: ${size} bytes, two units in ${seconds} s")
endforeach()
