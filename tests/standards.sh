#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bash tests/standards.sh [STANDARD...]: every header that needs no other library, and a site's
# forward and backward, compile without warnings as C++17, 20 and 23, with g++ and clang++ if
# installed; also without exceptions and run-time type information, and with -ffast-math.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source cmake/setup.sh

mhc_need g++ cmake libeigen3-dev pkg-config >&2
if [ $# = 0 ]; then set -- 17 20 23; fi
compilers=()
for compiler in ${CXX:-g++ clang++}; do
  if command -v "$compiler" >/dev/null; then
    compilers+=("$compiler")
  else
    mhc_say "$compiler is left out, it is not installed"
  fi
done
[ ${#compilers[@]} -gt 0 ] || mhc_fail "none of the compilers (${CXX:-g++ clang++}) is installed"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
{
  sed -n '/^set(MHC_BESIDE/,/)/p' cmake/headers.cmake |
    sed -n 's/^ *\(mhc\/[a-z0-9_/]*\.hpp\).*/#include <\1>/p'
  printf '#include <mhc/mhc.hpp>\n#include "hostile/run_block.hpp"\nint main() { return run_block().empty(); }\n'
} >"$folder/all.cpp"
[ "$(grep -c 'include <mhc/' "$folder/all.cpp")" -gt 20 ] || mhc_fail "cmake/headers.cmake lists no headers"

# shellcheck disable=SC2207
eigen=($(pkg-config --cflags-only-I eigen3 | sed 's/-I/-isystem /g'))
check() { # COMPILER FLAG...
  "$@" -fsyntax-only -Wall -Wextra -Wpedantic -Wdeprecated -Werror -Iinclude -Itests "${eigen[@]}" \
    "$folder/all.cpp" || mhc_fail "warnings or errors (above) with: $*"
  mhc_say "no warning: $*"
}
for compiler in "${compilers[@]}"; do
  first=
  for standard; do
    name=$standard
    # clang up to 16 and g++ 10 only accept C++23's working name.
    if [ "$standard" = 23 ] && ! "$compiler" -std=c++23 -fsyntax-only -x c++ /dev/null 2>/dev/null; then
      name=2b
    fi
    : "${first:=$name}"
    check "$compiler" "-std=c++$name"
  done
  check "$compiler" "-std=c++$first" -fno-exceptions -fno-rtti -ffast-math
done
