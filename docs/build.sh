#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bash docs/build.sh: builds the documentation site in build/docs/html. A warning fails it. Every type and
# every free function must have a docstring; members need none.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source cmake/setup.sh

mhc_need doxygen
rm -rf build/docs
mkdir -p build/docs
MHC_VERSION=$(sed -n 's/^#define MHC_VERSION_STRING "\(.*\)"$/\1/p' include/mhc/version.hpp)
export MHC_VERSION
doxygen docs/Doxyfile >build/docs/doxygen.log 2>&1 ||
  mhc_fail "doxygen failed: $(tail -n 3 build/docs/doxygen.log)"
silent='Member .* of (class|struct) .* is not documented\.$'
if grep -Ev "$silent" build/docs/doxygen.log | grep . >&2; then
  mhc_fail "the documentation has the warnings above"
fi
mhc_say "the documentation is in build/docs/html/index.html, $(find build/docs/html -name '*.html' | wc -l) pages"
