#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bash cmake/packaging/build_deb.sh [FOLDER]: builds libmhc-dev_VERSION_all.deb from the tracked files
# in FOLDER (build/deb, emptied first) and prints its path.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source cmake/setup.sh

mhc_need git cmake g++ libeigen3-dev dpkg-dev debhelper >&2
folder=${1:-build/deb}
version=$(sed -n 's/#define MHC_VERSION_STRING "\(.*\)"/\1/p' include/mhc/version.hpp)
sources=$folder/mhc-$version
rm -rf "$folder"
mkdir -p "$sources"
# The tracked files in their present state, or the whole folder if it is not a checkout.
if git -c safe.directory='*' rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  git -c safe.directory='*' ls-files -z
else
  find . -path ./build -prune -o -type f -print0
fi | xargs -0 ls -d 2>/dev/null | tar -cf - -T - | tar -xf - -C "$sources"
cp -r cmake/packaging/debian "$sources/debian"
chmod +x "$sources/debian/rules"
log=$folder/build.log
if ! (cd "$sources" && dpkg-buildpackage --build=binary --unsigned-changes) >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  mhc_fail "the package could not be built (the last lines of $log stand above)"
fi
if command -v lintian >/dev/null; then
  # No bug requested the package, and whoever publishes it must set the address.
  bear=initial-upload-closes-no-bugs,bogus-mail-host,bogus-mail-host-in-debian-changelog
  lintian --fail-on error,warning --suppress-tags $bear "$folder"/*.changes >&2 ||
    mhc_fail "lintian has found faults in the package (above)"
else
  mhc_say "lintian is not installed: the package is not checked by it" >&2
fi
ls "$folder"/*.deb
