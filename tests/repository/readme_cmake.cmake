# SPDX-License-Identifier: MIT
# cmake -D root= -D work= -D prefix= -D generator= -D compiler= -P readme_cmake.cmake: each ```cmake
# block of the README, verbatim, builds its first C++ program as the target `model`, and the
# program runs. A block that fetches the sources gets those of this tree.
cmake_minimum_required(VERSION 3.24)
include(${CMAKE_CURRENT_LIST_DIR}/blocks.cmake)
mhc_code_blocks(program ${root}/README.md cpp)
mhc_code_blocks(way ${root}/README.md cmake)
if(way_count EQUAL 0)
  message(FATAL_ERROR "README.md has no ```cmake block")
endif()
math(EXPR last "${way_count} - 1")
foreach(i RANGE ${last})
  message("README.md, CMake block ${i}:\n${way_${i}}")
  set(source ${work}/${i})
  file(REMOVE_RECURSE ${source})
  file(MAKE_DIRECTORY ${source})
  file(WRITE ${source}/model.cpp "${program_0}")
  file(WRITE ${source}/CMakeLists.txt
       "cmake_minimum_required(VERSION 3.24)\nproject(model LANGUAGES CXX)\n"
       "add_executable(model model.cpp)\n${way_${i}}")
  set(options -DCMAKE_CXX_COMPILER=${compiler})
  if(way_${i} MATCHES "FetchContent_Declare")
    list(APPEND options -DFETCHCONTENT_SOURCE_DIR_MHC=${root})
  elseif(way_${i} MATCHES "add_subdirectory\\(([^) ]+)")
    get_filename_component(folder ${source}/${CMAKE_MATCH_1} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    file(CREATE_LINK ${root} ${source}/${CMAKE_MATCH_1} SYMBOLIC)
  else()
    list(APPEND options -DCMAKE_PREFIX_PATH=${prefix})
  endif()
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${source} -B ${source}/build -G ${generator}
                          ${options} COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${source}/build COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${source}/build/model COMMAND_ERROR_IS_FATAL ANY)
endforeach()
