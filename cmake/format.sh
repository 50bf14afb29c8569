#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bash cmake/format.sh [--check]: formats the tracked C and C++ files, or lists those not formatted.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mode=(-i)
if [ "${1-}" = --check ]; then mode=(--dry-run -Werror); fi
git -c safe.directory='*' ls-files -z '*.hpp' '*.inl' '*.cpp' '*.h' '*.c' | xargs -0 -r clang-format "${mode[@]}"
