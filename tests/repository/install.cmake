# SPDX-License-Identifier: MIT
cmake_minimum_required(VERSION 3.24)
file(REMOVE_RECURSE "${first}" "${last}")
execute_process(COMMAND ${CMAKE_COMMAND} --install "${build}" --prefix "${first}"
                        COMMAND_ERROR_IS_FATAL ANY)
file(RENAME "${first}" "${last}")

include(${root}/cmake/headers.cmake)
foreach(header IN LISTS MHC_HEADERS)
  if(NOT EXISTS "${last}/${includedir}/${header}")
    message(FATAL_ERROR "${header} is listed in cmake/headers.cmake and was not installed")
  endif()
endforeach()
