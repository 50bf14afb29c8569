#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bash tests/run.sh [CTEST_ARGUMENT...]: installs what is missing, builds, and runs the tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source cmake/setup.sh

mhc_need g++ cmake ninja-build pkg-config libeigen3-dev libgtest-dev libgmock-dev zlib1g-dev
mhc_say "building the tests in build/tests"
# -O2 is what most users compile with, and it compiles a quarter faster than -O3.
mhc_configure build/tests -DMHC_WARNINGS_AS_ERRORS=ON -DMHC_BUILD_BENCHMARKS=OFF -DMHC_BUILD_C=ON \
  -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG"
cmake --build build/tests
ctest --test-dir build/tests --output-on-failure --no-tests=error -j "$(nproc)" "$@"
