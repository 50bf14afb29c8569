#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bash tests/run.sh [--all] [CTEST_ARGUMENT...]: installs what is missing, builds, and runs the tests.
# --all also installs the libraries that the adapters are for and leaves none of their tests out but
# that of ggml, which is in no Debian package (GGML_DIR names one), builds the Debian package and checks
# the other recipes, and compiles the headers by each standard.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source cmake/setup.sh

all=OFF
arguments=()
for argument; do
  if [ "$argument" = --all ]; then all=ON; else arguments+=("$argument"); fi
done
mhc_need g++ cmake ninja-build pkg-config libeigen3-dev libgtest-dev libgmock-dev zlib1g-dev
if [ $all = ON ]; then
  mhc_need git clang libtorch-dev libdlpack-dev libtbb-dev python3 python3-yaml dpkg-dev debhelper \
    lintian
fi
mhc_say "building the tests in build/tests"
# -O2 is what most users compile with, and it compiles a quarter faster than -O3.
mhc_configure build/tests -DMHC_WARNINGS_AS_ERRORS=ON -DMHC_BUILD_BENCHMARKS=OFF -DMHC_BUILD_C=ON \
  -DMHC_BUILD_COMPILED=ON -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG" -DMHC_TEST_ALL=$all
cmake --build build/tests
failed=0
ctest --test-dir build/tests --output-on-failure --no-tests=error -j "$(nproc)" "${arguments[@]}" || failed=$?
sed -n 's/^-- \(mhc: .* left out.*\)/\1/p' build/tests/configure.log
exit $failed
