# SPDX-License-Identifier: MIT
# mhc_ggml: ggml's headers and its CPU backend, where one with operators for hyper-connections is
# found. -DMHC_GGML_DIR or the environment's GGML_DIR names the prefix that it was installed to.
if(TARGET mhc_ggml)
  return()
endif()
set(MHC_GGML_DIR "$ENV{GGML_DIR}" CACHE PATH "Where ggml is installed")
find_path(MHC_GGML_INCLUDE ggml-cpu.h HINTS ${MHC_GGML_DIR} ENV GGML_DIR PATH_SUFFIXES include)
find_library(MHC_GGML_BASE ggml-base HINTS ${MHC_GGML_DIR} ENV GGML_DIR PATH_SUFFIXES lib lib64)
find_library(MHC_GGML_CPU ggml-cpu HINTS ${MHC_GGML_DIR} ENV GGML_DIR PATH_SUFFIXES lib lib64)
set(mhc_ggml_operators)
if(MHC_GGML_INCLUDE AND MHC_GGML_BASE AND MHC_GGML_CPU)
  file(STRINGS ${MHC_GGML_INCLUDE}/ggml.h mhc_ggml_operators REGEX ggml_dsv4_hc_comb)
endif()
if(mhc_ggml_operators)
  add_library(mhc_ggml INTERFACE)
  target_include_directories(mhc_ggml SYSTEM INTERFACE ${MHC_GGML_INCLUDE})
  target_link_libraries(mhc_ggml INTERFACE ${MHC_GGML_CPU} ${MHC_GGML_BASE})
endif()
