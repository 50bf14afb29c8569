#!/bin/sh
# SPDX-License-Identifier: MIT
# sh tests/cuda.sh [folder [cmake options...]]: builds the tests of mhc::cuda and runs them, on a
# machine with nvcc and an NVIDIA GPU. SANITIZE=1 runs some of them under compute-sanitizer, too.
set -e
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$root/build/cuda}
[ $# -gt 0 ] && shift
command -v nvcc > /dev/null || { echo "cuda.sh: there is no nvcc in PATH"; exit 1; }
cmake -S "$root" -B "$folder" -DCMAKE_BUILD_TYPE=Release -DMHC_BUILD_CUDA=ON \
  -DMHC_BUILD_CUDA_COMPILED=ON -DMHC_BUILD_EXAMPLES=OFF -DMHC_BUILD_BENCHMARKS=OFF \
  -DCMAKE_CUDA_ARCHITECTURES="${MHC_CUDA_ARCHITECTURES:-native}" "$@"
cmake --build "$folder" --target mhc_cuda_tests --parallel
ctest --test-dir "$folder" --output-on-failure -L '^(gpu|cuda_host)$'
if [ -n "$SANITIZE" ]; then
  for tool in memcheck racecheck synccheck; do
    compute-sanitizer --tool "$tool" --error-exitcode 1 "$folder/tests/cuda/cuda_contract_test" \
      --gtest_filter='*Fused*:*Nan*'
  done
fi
