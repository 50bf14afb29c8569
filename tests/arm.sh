#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bash tests/arm.sh [--all] [CTEST_ARGUMENT...]: builds tests of the library for 64-bit Arm and runs
# them in emulation; --all runs all of them. Excluded are the examples, which need a zlib for Arm,
# and the tests of the repository, which run compilers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source cmake/setup.sh

# The programs that run the kernels, without the two tests that take a third of the time; the same
# tests with other numbers of streams remain.
programs="element_test;exp_test;sinkhorn_knopp_test;golden_test"
programs+=";block_contract_test;block_accuracy_test"
select=(-E "GradientEqualsTheComplexStep<SinkhornKnopp/n16|FloatMatchesDoubleWithEightStreams")
if [ "${1:-}" = --all ]; then
  programs=
  select=()
  shift
fi

mhc_need cmake ninja-build g++-aarch64-linux-gnu qemu-user googletest libeigen3-dev
# With /usr/include itself the compiler would also find this machine's headers.
eigen=/usr/share/eigen3/cmake
[ -f $eigen/Eigen3Config.cmake ] ||
  mhc_fail "Eigen for Arm is taken from Debian's libeigen3-dev, but $eigen is missing: install it"

tree=$PWD/build/arm
arm=(
  -DCMAKE_SYSTEM_NAME=Linux
  -DCMAKE_SYSTEM_PROCESSOR=aarch64
  -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc
  -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++
  "-DCMAKE_CROSSCOMPILING_EMULATOR=$(command -v qemu-aarch64);-L;/usr/aarch64-linux-gnu"
)

# Debian ships GoogleTest's sources, but no build for other architectures.
mhc_say "building GoogleTest and the tests in build/arm"
(
  cd /usr/src/googletest
  mhc_configure "$tree/googletest" "${arm[@]}" -DCMAKE_INSTALL_PREFIX="$tree/installed" \
    -DCMAKE_INSTALL_LIBDIR=lib
  mhc_build "$tree/googletest" install
)
mhc_configure "$tree/tests" "${arm[@]}" -DMHC_WARNINGS_AS_ERRORS=ON -DMHC_BUILD_EXAMPLES=OFF \
  -DMHC_BUILD_BENCHMARKS=OFF -DMHC_INSTALL=OFF -DMHC_TEST_PROGRAMS="$programs" \
  -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG" -DEigen3_DIR=$eigen \
  -DGTest_DIR="$tree/installed/lib/cmake/GTest"
cmake --build "$tree/tests"
ctest --test-dir "$tree/tests" --output-on-failure --no-tests=error -L unit -j "$(nproc)" \
  "${select[@]}" "$@"
