#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bash examples/run.sh [NAME] [ARGUMENT...]: installs what is missing, builds and runs an example, by
# default language_model. --list names them all. Relative paths start at the top of the repository.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source cmake/setup.sh

names=$(sed -n 's/^mhc_example(\(.*\))/\1/p' examples/CMakeLists.txt)
name=language_model
if [ "${1-}" = --list ]; then
  printf '%s\n' "$names"
  exit
elif [ $# -gt 0 ] && [[ $1 != -* ]]; then
  name=$1
  shift
fi
grep -qxF -- "$name" <<<"$names" ||
  mhc_fail "there is no example called '$name'; there are: $(tr '\n' ' ' <<<"$names")"

mhc_need g++ cmake ninja-build libeigen3-dev zlib1g-dev
if [ "$name" = libtorch ]; then mhc_need libtorch-dev; fi
mhc_say "building $name in build/examples (the first time takes a minute or two)"
mhc_configure build/examples -DMHC_BUILD_TESTS=OFF -DMHC_BUILD_BENCHMARKS=OFF -DMHC_EXAMPLES_NATIVE=ON
mhc_build build/examples "$name"
mkdir -p build/reports
exec "build/examples/bin/$name" "$@"
