#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bash bench/run.sh [--quick]: installs what is missing, builds, measures the machine's ceilings and
# all rows (some minutes; --quick: at most one after the build), prints a table and writes
# report.json, ceilings.json, roofline.svg and sinkhorn.svg into build/bench.
# bash bench/run.sh NAME [ARGUMENT...]: one program, with Google Benchmark's arguments.
# GGML_DIR names the folder where ggml is installed; if it is found, its operators are timed, too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source cmake/setup.sh

folder=build/bench
programs=$(sed -n 's/^mhc_add_benchmark(\([a-z0-9_]*\).*/\1/p' bench/CMakeLists.txt)
name=
quick=()
if [ $# -gt 0 ] && [[ $1 != -* ]]; then
  name=$1
  shift
  grep -qxF -- "$name" <<<"$programs"$'\nggml' ||
    mhc_fail "there is no benchmark called '$name'; there are: $(tr '\n' ' ' <<<"$programs")ggml"
else
  for argument; do
    [ "$argument" = --quick ] ||
      mhc_fail "$argument is not an option; there is --quick, and after a program's name those of Google Benchmark"
    quick=(--quick)
  done
fi

mhc_need g++ cmake ninja-build libeigen3-dev libbenchmark-dev
if [ -z "$name" ]; then mhc_need python3; fi
mhc_say "building the benchmarks in $folder (the first time takes some two minutes)"
mhc_configure $folder -DMHC_BUILD_TESTS=OFF -DMHC_BUILD_EXAMPLES=OFF \
  ${GGML_DIR:+"-DMHC_GGML_DIR=$GGML_DIR"}
if cmake --build $folder --target help | grep '^bench_ggml:' >/dev/null; then
  programs+=$'\nggml'
elif [ -z "$name" ] || [ "$name" = ggml ]; then
  mhc_say "no rows of ggml: its libraries, with operators for hyper-connections, were not found (GGML_DIR names their folder)"
  if [ "$name" = ggml ]; then exit 1; fi
fi
targets=${name:-ceilings $programs}
# shellcheck disable=SC2086
mhc_build $folder ${targets/ggml/bench_ggml}

if [ -n "$name" ]; then exec "$folder/bench/$name" "$@"; fi

# "end" is missing if a program fails: then no report is written.
{ $folder/bench/ceilings && echo end; } | python3 bench/report.py ceilings $folder
{
  for program in $programs; do
    "$folder/bench/$program" --rows "--ceilings=$folder/ceilings.json" "${quick[@]}" || exit
  done
  echo end
} | python3 bench/report.py rows $folder
python3 bench/plot.py $folder
mhc_say "$folder has report.json, ceilings.json, roofline.svg and sinkhorn.svg"
