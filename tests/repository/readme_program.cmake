# SPDX-License-Identifier: MIT
# cmake -D root= -D work= -D compiler= -D eigen= -P readme_program.cmake: the README's first C++
# program compiles without a warning and runs, word for word.
cmake_minimum_required(VERSION 3.24)
include(${CMAKE_CURRENT_LIST_DIR}/blocks.cmake)
mhc_code_blocks(program ${root}/README.md cpp)
if(program_count EQUAL 0)
  message(FATAL_ERROR "README.md has no ```cpp block")
endif()
file(MAKE_DIRECTORY ${work})
file(WRITE ${work}/program.cpp "${program_0}")
execute_process(
  COMMAND ${compiler} -std=c++17 -O1 -Wall -Wextra -Wpedantic -Wconversion -Werror
          -I${root}/include -isystem ${eigen} ${work}/program.cpp -o ${work}/program
          COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${work}/program COMMAND_ERROR_IS_FATAL ANY)
