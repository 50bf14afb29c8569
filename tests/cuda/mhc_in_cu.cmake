# SPDX-License-Identifier: MIT
# cmake -D nvcc= -D root= -D eigen= -D work= -P mhc_in_cu.cmake: mhc.hpp in a file that nvcc compiles.
# What needs no kernel of the CPU compiles; so do calls whose kernels mhc::compiled has; others are
# refused with one sentence.
cmake_minimum_required(VERSION 3.24)
file(MAKE_DIRECTORY ${work})

# try(name result_variable flags...): compiles ${work}/name.cu; the log in `log`.
function(try name result)
  execute_process(
    COMMAND ${nvcc} -std=c++17 -arch=sm_80 -diag-suppress 20012,20013,20015 -Werror all-warnings ${ARGN} -I${root}/include
            -isystem ${eigen} -c ${work}/${name}.cu -o ${work}/${name}.o
    RESULT_VARIABLE failed OUTPUT_VARIABLE text ERROR_VARIABLE text)
  set(${result} ${failed} PARENT_SCOPE)
  set(log "${text}" PARENT_SCOPE)
endfunction()

file(WRITE ${work}/types.cu "#include <mhc/mhc.hpp>
#include <mhc/gated_residual.hpp>
#include <mhc/cuda.hpp>
using Block = mhc::cuda::Block<4, mhc::bf16>;
void site(mhc::Parameters<4>& parameters, Block::ConstParametersView on_device) {
  mhc::initialize(parameters.view(), 1);
  Block block(on_device, mhc::families::DeepSeekV4::options());
}
")
try(types failed)
if(failed)
  message(FATAL_ERROR "mhc.hpp does not compile in a .cu file:\n${log}")
endif()

file(WRITE ${work}/call.cu "#include <mhc/mhc.hpp>
void site(const mhc::Block<4>& block, mhc::StreamView<const float> x, mhc::Block<4>::SavedView saved) {
  block.prepare(x, {}, saved);
}
")
try(call failed -DMHC_COMPILED=1)
if(failed)
  message(FATAL_ERROR "a call that mhc::compiled has does not compile in a .cu file:\n${log}")
endif()
try(call failed)
if(NOT failed)
  message(FATAL_ERROR "a call of the CPU without its kernels compiles in a .cu file")
endif()
if(NOT log MATCHES "nvcc cannot compile the kernels of the CPU")
  message(FATAL_ERROR "a call of the CPU in a .cu file is not refused in our words:\n${log}")
endif()
