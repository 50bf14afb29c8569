# SPDX-License-Identifier: MIT
# cmake -D nvcc= -D root= -D eigen= -D work= -P compile.cmake: every kernel compiles for each
# architecture, and those listed as free of spills have none.
cmake_minimum_required(VERSION 3.24)
file(MAKE_DIRECTORY ${work})
# n = 4 of every element and call, and the other connections in float.
# Helpers first: no header may depend on what was included before it.
file(WRITE ${work}/kernels.cu "#include <mhc/cuda/launch.hpp>
#include <mhc/cuda/element.hpp>
#include <mhc/cuda.hpp>
template class mhc::cuda::Block<4, mhc::bf16>;
template class mhc::cuda::Block<4, mhc::f16>;
template class mhc::cuda::Block<4, float>;
template class mhc::cuda::Block<2, mhc::bf16>;
template class mhc::cuda::Block<8, mhc::bf16>;
template class mhc::cuda::Block<4, float, mhc::HyperConnections>;
template class mhc::cuda::Block<4, float, mhc::OrdinaryResidual>;
template class mhc::cuda::Block<4, float, mhc::Constrained<mhc::PermutationSoftmax>>;
template class mhc::cuda::Block<4, float, mhc::Constrained<mhc::Kronecker>>;
template class mhc::cuda::Head<4, mhc::bf16>;
template class mhc::cuda::Head<4, float>;
namespace mhc::cuda {
template void expand_repeat(TokenView<const bf16>, StreamView<bf16>, cudaStream_t);
template void expand_one_hot(TokenView<const f16>, StreamView<f16>, Index, cudaStream_t);
template void collapse_mean(StreamView<const bf16>, TokenView<bf16>, cudaStream_t);
template void sinkhorn_knopp<4>(StreamView<const float>, const SinkhornKnoppOptions&, StreamView<float>,
                                cudaStream_t);
template void sinkhorn_knopp<8>(StreamView<const float>, const SinkhornKnoppOptions&, StreamView<float>,
                                cudaStream_t);
template void aggregate<4>(StreamView<const f16>, TokenView<const float>, TokenView<f16>, cudaStream_t);
}
")
foreach(architecture IN ITEMS 80 90a 100)
  execute_process(
    COMMAND
      ${nvcc} -std=c++17 -O3 -diag-suppress 20012,20013,20015
      -gencode=arch=compute_${architecture},code=sm_${architecture} -Xptxas -v -I${root}/include
      -isystem ${eigen} -c ${work}/kernels.cu -o ${work}/kernels.o
    RESULT_VARIABLE failed OUTPUT_VARIABLE log ERROR_VARIABLE log)
  if(failed)
    message(FATAL_ERROR "sm_${architecture}:\n${log}")
  endif()
  string(REGEX MATCHALL "Function properties for [^ \n]+\n[^\n]*" functions "${log}")
  set(count 0)
  foreach(function IN LISTS functions)
    # The mapping kernel may spill. Sinkhorn-Knopp's log domain has arrays in memory, but spills none.
    if(NOT function MATCHES "kernels(5merge|9aggregate|7project|13project_tiles|11sum_streams|12repeat_token|11place_token|23sinkhorn_knopp_matricesILi4)")
      continue()
    endif()
    math(EXPR count "${count} + 1")
    if(NOT function MATCHES " 0 bytes spill stores, 0 bytes spill loads")
      message(FATAL_ERROR "sm_${architecture}: a kernel that must not spill does: ${function}")
    endif()
  endforeach()
  if(count LESS 20)
    message(FATAL_ERROR "sm_${architecture}: found ${count} kernels in ptxas's report:\n${log}")
  endif()
  message("sm_${architecture}: ${count} kernels without spills")
endforeach()
