# SPDX-License-Identifier: MIT
# cmake -D nm= -D object= -D namespace= -P names.cmake: all names of the library in the object are
# in this inline namespace.
cmake_minimum_required(VERSION 3.24)
execute_process(COMMAND ${nm} -C ${object} OUTPUT_VARIABLE names COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "mhc::[A-Za-z0-9_]+" found "${names}")
list(REMOVE_DUPLICATES found)
foreach(name IN LISTS found)
  if(NOT name MATCHES "^mhc::${namespace}(_|$)")
    message(FATAL_ERROR "${object}: ${name}, expected mhc::${namespace} alone")
  endif()
endforeach()
if(NOT found)
  message(FATAL_ERROR "${object}: no name of the library in it")
endif()
message("${found}")
