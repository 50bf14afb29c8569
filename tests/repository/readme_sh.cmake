# SPDX-License-Identifier: MIT
# cmake -D root= -D work= -D prefix= -D compiler= -D eigen= -P readme_sh.cmake: the README's ```sh
# block, line by line in a folder with a clone called mhc, builds its first C++ program, which runs
# after each line that compiles. It is compiled without optimisation, to save time.
cmake_minimum_required(VERSION 3.24)
include(${CMAKE_CURRENT_LIST_DIR}/blocks.cmake)
mhc_code_blocks(program ${root}/README.md cpp)
mhc_code_blocks(commands ${root}/README.md sh)
if(NOT commands_count EQUAL 1)
  message(FATAL_ERROR "README.md has ${commands_count} \`\`\`sh blocks, expected one")
endif()
file(REMOVE_RECURSE ${work})
file(MAKE_DIRECTORY ${work})
file(CREATE_LINK ${root} ${work}/mhc SYMBOLIC)
file(WRITE ${work}/model.cpp "${program_0}")
string(REPLACE "g++ " "${compiler} -DMHC_GENERIC_ONLY " commands "${commands_0}")
string(REPLACE "-O2" "-O0" commands "${commands}")
string(REPLACE "/usr/include/eigen3" "\"${eigen}\"" commands "${commands}")
string(REPLACE " -o model" " -o model\n./model\nrm model" commands "${commands}")
if(NOT commands MATCHES "rm model")
  message(FATAL_ERROR "no line of README.md's \`\`\`sh block builds the program:\n${commands}")
endif()
# pkg-config escapes spaces, which $(...) would split at.
file(CREATE_LINK "${prefix}" ${work}/prefix SYMBOLIC)
set(ENV{PKG_CONFIG_PATH} "${work}/prefix/share/pkgconfig:$ENV{PKG_CONFIG_PATH}")
execute_process(COMMAND bash -exc "${commands}" WORKING_DIRECTORY ${work}
                        COMMAND_ERROR_IS_FATAL ANY)
