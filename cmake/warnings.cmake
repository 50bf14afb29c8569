# SPDX-License-Identifier: MIT
# The warning flags of this repository's programs. Linked privately, never exported to users.
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
  # g++ 12 misjudges the size of small Eigen rows of dynamic size.
  target_compile_options(mhc_warnings INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-stringop-overflow>)
  if(MHC_WARNINGS_AS_ERRORS)
    target_compile_options(mhc_warnings INTERFACE -Werror)
  endif()
endif()
