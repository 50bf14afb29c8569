# SPDX-License-Identifier: MIT
# What our own programs are compiled with. Linked privately; never part of what users get.
add_library(mhc_warnings INTERFACE)
if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  target_compile_options(
    mhc_warnings
    INTERFACE -Wall
              -Wextra
              -Wpedantic
              -Wconversion
              -Wsign-conversion
              -Wdouble-promotion
              -Wshadow
              $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast>
              $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
              $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>)
  # g++ 12 takes small Eigen rows of dynamic size for shorter than they are.
  target_compile_options(mhc_warnings INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-stringop-overflow>)
  if(MHC_WARNINGS_AS_ERRORS)
    target_compile_options(mhc_warnings INTERFACE -Werror)
  endif()
endif()
