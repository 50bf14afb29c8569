# SPDX-License-Identifier: MIT
# mhc::cuda_compiled: the usual calls of mhc::cuda, compiled once by nvcc, for files of the host's
# compiler, which include mhc/cuda/compiled.hpp.
find_package(CUDAToolkit 12 REQUIRED)
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES) # the oldest that mhc::cuda supports; newer ones take its PTX
  set(CMAKE_CUDA_ARCHITECTURES 80)
endif()
enable_language(CUDA)
add_library(mhc_cuda_compiled ${cuda_compiled})
add_library(mhc::cuda_compiled ALIAS mhc_cuda_compiled)
set_target_properties(
  mhc_cuda_compiled PROPERTIES POSITION_INDEPENDENT_CODE ON VERSION ${PROJECT_VERSION}
                               SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
target_link_libraries(mhc_cuda_compiled PUBLIC mhc CUDA::cudart)
target_compile_features(mhc_cuda_compiled PRIVATE cuda_std_17)
# Eigen 3.4 marks defaulted functions, and calls those of std::complex from what it marks.
target_compile_options(mhc_cuda_compiled
                       PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-diag-suppress=20012,20013,20015>)
