# SPDX-License-Identifier: MIT
# The library without CMake: two include paths.
cmake_minimum_required(VERSION 3.24)
file(MAKE_DIRECTORY ${work})
execute_process(COMMAND ${compiler} -std=c++17 -I${root}/include -I${eigen}
                        ${root}/tests/consumer/main.cpp -o ${work}/consumer
                        COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${work}/consumer COMMAND_ERROR_IS_FATAL ANY)
