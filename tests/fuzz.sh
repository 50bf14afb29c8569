#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bash tests/fuzz.sh [SECONDS]: fuzzes the readers of checkpoints for 60 seconds in total. Failing
# inputs are in build/fuzz/found; once fixed, add them to tests/fuzz/data, whose files are the seeds
# and are replayed by an ordinary test. Inputs with new coverage are kept in build/fuzz/corpus for
# the next run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source cmake/setup.sh

mhc_need clang cmake ninja-build libeigen3-dev libgtest-dev libgmock-dev
mhc_need "libclang-rt-$(clang++ -dumpversion | cut -d . -f 1)-dev"
targets=(safetensors gguf index)
seconds=$((${1:-60} / ${#targets[@]} + 1))

mhc_say "building the fuzzers in build/fuzz"
mhc_configure build/fuzz -DCMAKE_CXX_COMPILER=clang++ -DMHC_WARNINGS_AS_ERRORS=ON \
  -DMHC_BUILD_EXAMPLES=OFF -DMHC_BUILD_BENCHMARKS=OFF -DMHC_INSTALL=OFF \
  -DCMAKE_CXX_FLAGS_RELEASE="-O1 -DMHC_NO_AVX512"
mhc_build build/fuzz "${targets[@]/#/fuzz_}"

mkdir -p build/fuzz/found
for target in "${targets[@]}"; do
  corpus=build/fuzz/corpus/$target
  log=build/fuzz/$target.log
  dictionary=tests/fuzz/json.dict
  if [ "$target" = gguf ]; then dictionary=tests/fuzz/gguf.dict; fi
  mkdir -p "$corpus"
  if ! "build/fuzz/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 \
    -rss_limit_mb=2048 -dict="$dictionary" -artifact_prefix="build/fuzz/found/$target-" \
    -print_final_stats=1 "$corpus" "tests/fuzz/data/$target" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    mhc_fail "fuzzing $target found something (above; the input is in build/fuzz/found)"
  fi
  mhc_say "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs," \
    "$(grep -o 'cov: [0-9]*' "$log" | tail -n 1 | cut -c 6-) edges"
done
