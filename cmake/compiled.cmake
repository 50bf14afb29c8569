# SPDX-License-Identifier: MIT
# mhc::compiled: the kernels of the usual sites, compiled once (include/mhc/kernels/instances.inl).
# The C library has the same objects in itself.
add_library(mhc_instances OBJECT ${compiled})
set_target_properties(mhc_instances PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_link_libraries(mhc_instances PRIVATE mhc)
# Whatever the project's flags are, these are for the baseline of the architecture: units with other
# flags have kernels of their own.
target_compile_options(mhc_instances PRIVATE -fno-fast-math)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_options(mhc_instances PRIVATE -mno-avx)
endif()

set(mhc_compiled_sets 1)
if(CMAKE_CXX_FLAGS MATCHES "-DMHC_GENERIC_ONLY")
  set(mhc_compiled_sets 3)
elseif(CMAKE_CXX_FLAGS MATCHES "-DMHC_NO_AVX512")
  set(mhc_compiled_sets 2)
endif()

add_library(mhc_compiled $<TARGET_OBJECTS:mhc_instances>)
add_library(mhc::compiled ALIAS mhc_compiled)
set_target_properties(
  mhc_compiled
  PROPERTIES EXPORT_NAME compiled
             LINKER_LANGUAGE CXX
             VERSION ${PROJECT_VERSION}
             SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
target_link_libraries(mhc_compiled PUBLIC mhc)
target_compile_definitions(mhc_compiled INTERFACE MHC_COMPILED=${mhc_compiled_sets})
