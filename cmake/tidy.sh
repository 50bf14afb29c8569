#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bash cmake/tidy.sh BUILD_TREE: runs clang-tidy on a few programs that together instantiate the
# library. BUILD_TREE contains the compile_commands.json of a clang build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
programs=(tests/consumer/main.cpp examples/language_model/main.cpp
  examples/inspect_checkpoint/main.cpp bench/sinkhorn_knopp.cpp bench/block.cpp
  tests/checkpoint/writer_test.cpp include/mhc/c/mhc_c.cpp)
printf '%s\0' "${programs[@]}" |
  xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet --warnings-as-errors='*' -p "$1"
