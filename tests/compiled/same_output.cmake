# SPDX-License-Identifier: MIT
# cmake -D a= -D b= -P same_output.cmake: two programs print the same.
cmake_minimum_required(VERSION 3.24)
foreach(program IN ITEMS a b)
  execute_process(COMMAND ${${program}} OUTPUT_VARIABLE of_${program} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
if(of_a STREQUAL "" OR NOT of_a STREQUAL of_b)
  message(FATAL_ERROR "${a} prints\n${of_a}${b} prints\n${of_b}")
endif()
message("${of_a}")
