# SPDX-License-Identifier: MIT
# cmake -D root= -D page= -D work= -D compiler= -D eigen= [-D flags=] -P page_programs.cmake: the C++
# programs of a page, verbatim, compile without warnings and run. If the page has ```text blocks,
# there is one for each program, with its output.
cmake_minimum_required(VERSION 3.24)
include(${CMAKE_CURRENT_LIST_DIR}/blocks.cmake)
mhc_code_blocks(block ${root}/${page} cpp)
mhc_code_blocks(output ${root}/${page} text)
file(MAKE_DIRECTORY ${work})
set(programs 0)
math(EXPR last "${block_count} - 1")
foreach(i RANGE ${last})
  if(NOT block_${i} MATCHES "int main\\(")
    continue()
  endif()
  file(WRITE ${work}/program.cpp "${block_${i}}")
  execute_process(
    COMMAND ${compiler} -std=c++17 -O1 -Wall -Wextra -Wpedantic -Wconversion -Werror ${flags}
            -I${root}/include -isystem ${eigen} ${work}/program.cpp -o ${work}/program -pthread
            COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${work}/program OUTPUT_VARIABLE printed COMMAND_ERROR_IS_FATAL ANY)
  message("${printed}")
  if(output_count GREATER 0 AND NOT printed STREQUAL output_${programs})
    message(FATAL_ERROR "${page}, program ${programs} printed the above, the page says:\n"
                        "${output_${programs}}")
  endif()
  math(EXPR programs "${programs} + 1")
endforeach()
if(programs EQUAL 0 OR NOT (output_count EQUAL 0 OR output_count EQUAL programs))
  message(FATAL_ERROR "${page} has ${programs} programs and ${output_count} ```text blocks")
endif()
