# SPDX-License-Identifier: MIT
# mhc_example_flags: what all of an example is compiled with, its libraries as well, since they pass
# each other matrices of Eigen.
include_guard(GLOBAL)
option(MHC_EXAMPLES_NATIVE "Compile the examples for the processor at hand" OFF)

add_library(mhc_example_flags INTERFACE)
if(MHC_EXAMPLES_NATIVE) # kernels for this processor alone
  target_compile_options(mhc_example_flags INTERFACE -march=native)
  target_compile_definitions(mhc_example_flags INTERFACE MHC_GENERIC_ONLY)
elseif(TARGET mhc_compiled)
  target_link_libraries(mhc_example_flags INTERFACE mhc_compiled)
elseif(MHC_BUILD_TESTS) # what these kernels compute is tested elsewhere, and this compiles faster
  target_compile_definitions(mhc_example_flags INTERFACE MHC_NO_AVX512)
endif()
