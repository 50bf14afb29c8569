#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bash bench/run.sh [NAME] [BENCHMARK_ARGUMENT...]: installs what is missing, builds in Release, and
# runs one benchmark program, or all of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source cmake/setup.sh

names=$(sed -n 's/^mhc_add_benchmark(\([a-z0-9_]*\).*/\1/p' bench/CMakeLists.txt)
chosen=$names
if [ $# -gt 0 ] && [[ $1 != -* ]]; then
  chosen=$1
  shift
  grep -qxF -- "$chosen" <<<"$names" ||
    mhc_fail "there is no benchmark called '$chosen'; there are: $(tr '\n' ' ' <<<"$names")"
fi

mhc_need g++ cmake ninja-build libeigen3-dev libbenchmark-dev
mhc_say "building the benchmarks in build/bench"
mhc_configure build/bench -DMHC_BUILD_TESTS=OFF -DMHC_BUILD_EXAMPLES=OFF
mhc_build build/bench $chosen
for name in $chosen; do
  build/bench/bench/"$name" "$@"
done
