# SPDX-License-Identifier: MIT
# mhc_ggml: ggml's headers and CPU backend, if a version with operators for hyper-connections is
# found. If -DMHC_GGML_DIR, or GGML_DIR in the environment, names an installation prefix, only that
# is searched.
if(TARGET mhc_ggml)
  return()
endif()
set(MHC_GGML_DIR "" CACHE PATH "The prefix of ggml, if other than GGML_DIR")
set(mhc_ggml_place)
if(MHC_GGML_DIR)
  set(mhc_ggml_place PATHS ${MHC_GGML_DIR} NO_DEFAULT_PATH)
elseif(DEFINED ENV{GGML_DIR})
  set(mhc_ggml_place PATHS $ENV{GGML_DIR} NO_DEFAULT_PATH)
endif()
# Not cached: a cached result would remain after a change of the prefix.
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
