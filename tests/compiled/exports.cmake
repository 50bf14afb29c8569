# SPDX-License-Identifier: MIT
# cmake -D nm= -D library= -P exports.cmake: every name that the library defines for others is in
# the namespace mhc.
cmake_minimum_required(VERSION 3.24)
set(dynamic)
if(library MATCHES "\\.so")
  set(dynamic -D)
endif()
execute_process(COMMAND ${nm} -C ${dynamic} --defined-only --extern-only ${library}
                OUTPUT_VARIABLE names COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "[][;]" " " names "${names}")
string(REPLACE "\n" ";" names "${names}")
list(FILTER names INCLUDE REGEX "^[0-9a-f]+ [A-Za-z] ")
list(LENGTH names count)
if(count EQUAL 0)
  message(FATAL_ERROR "${library}: defines nothing")
endif()
# A function template's name begins with what it returns.
list(FILTER names EXCLUDE REGEX "^[0-9a-f]+ [A-Za-z] (guard variable for |[a-z]+ )?mhc::")
if(names)
  list(JOIN names "\n" names)
  message(FATAL_ERROR "${library}: defines outside of mhc\n${names}")
endif()
message("${count} names, all in mhc")
