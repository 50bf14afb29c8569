#!/bin/sh
# SPDX-License-Identifier: MIT
# sh bench/cuda.sh [out.json [nvcc options...]]: times the calls of mhc::cuda against the copy ceiling
# of the device, on a machine with nvcc and an NVIDIA GPU. EIGEN is Eigen's folder.
set -e
root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-cuda.json}
[ $# -gt 0 ] && shift
command -v nvcc > /dev/null || { echo "cuda.sh: there is no nvcc in PATH"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nvcc -std=c++17 -O3 -arch=native -diag-suppress 20012,20013,20015 -I"$root/include" \
  -isystem "${EIGEN:-/usr/include/eigen3}" "$@" "$root/bench/cuda.cu" -o "$work/cuda"
"$work/cuda" "$out"
