# SPDX-License-Identifier: MIT
# mhc_ggml: ggml's headers and its CPU backend, where one with operators for hyper-connections is
# found. -DMHC_GGML_DIR, or the environment's GGML_DIR, names the prefix that it was installed to: then
# it is looked for there alone.
if(TARGET mhc_ggml)
  return()
endif()
set(MHC_GGML_DIR "" CACHE PATH "Where ggml is installed, if not where GGML_DIR says")
set(mhc_ggml_place)
if(MHC_GGML_DIR)
  set(mhc_ggml_place PATHS ${MHC_GGML_DIR} NO_DEFAULT_PATH)
elseif(DEFINED ENV{GGML_DIR})
  set(mhc_ggml_place PATHS $ENV{GGML_DIR} NO_DEFAULT_PATH)
endif()
# Looked for each time: a result in the cache would outlive a change of the prefix.
set(mhc_ggml_libraries lib lib64 lib/${CMAKE_LIBRARY_ARCHITECTURE})
find_path(mhc_ggml_include ggml-cpu.h ${mhc_ggml_place} PATH_SUFFIXES include NO_CACHE)
find_library(mhc_ggml_base ggml-base ${mhc_ggml_place} PATH_SUFFIXES ${mhc_ggml_libraries} NO_CACHE)
find_library(mhc_ggml_cpu ggml-cpu ${mhc_ggml_place} PATH_SUFFIXES ${mhc_ggml_libraries} NO_CACHE)
set(mhc_ggml_operators)
if(mhc_ggml_include AND mhc_ggml_base AND mhc_ggml_cpu)
  file(STRINGS ${mhc_ggml_include}/ggml.h mhc_ggml_operators REGEX ggml_dsv4_hc_comb)
endif()
if(mhc_ggml_operators)
  add_library(mhc_ggml INTERFACE)
  target_include_directories(mhc_ggml SYSTEM INTERFACE ${mhc_ggml_include})
  target_link_libraries(mhc_ggml INTERFACE ${mhc_ggml_cpu} ${mhc_ggml_base})
endif()
