#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bash tests/deb.sh [FOLDER]: builds libmhc-dev, installs it into a scratch root with dpkg, builds
# projects that find it there with CMake and pkg-config, and removes it again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source cmake/setup.sh

mhc_need git cmake g++ ninja-build pkg-config libeigen3-dev dpkg-dev debhelper lintian
folder=${1:-build/deb}
package=$(bash cmake/packaging/build_deb.sh "$folder" | tail -n 1)
mhc_say "built ${package##*/}"

root=$(mkdir -p "$folder/root" && cd "$folder/root" && pwd -P)
mkdir -p "$root"/var/lib/dpkg/{info,updates}
touch "$root"/var/lib/dpkg/{status,available}
# Its dependencies are installed on the machine, not in the scratch root.
in_root=(dpkg --root="$root" --force-not-root --force-depends --log=/dev/null)
"${in_root[@]}" --install "$package" >"$folder/install.log" 2>&1 ||
  { cat "$folder/install.log" >&2; mhc_fail "dpkg could not install the package"; }

for way in find_package pkg_config; do
  build=$folder/consumer/$way
  mhc_quietly "$build.log" cmake -S "tests/consumer/$way" -B "$build" -G Ninja \
    -DCMAKE_PREFIX_PATH="$root/usr" -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF \
    -DCMAKE_CXX_FLAGS=-DMHC_GENERIC_ONLY
  mhc_quietly "$build.log" cmake --build "$build"
  grep -q "$root/usr/" <(ninja -C "$build" -t commands) ||
    mhc_fail "$way took the library from elsewhere than $root"
  "$build/consumer"
done

"${in_root[@]}" --remove libmhc-dev >"$folder/remove.log" 2>&1 ||
  { cat "$folder/remove.log" >&2; mhc_fail "dpkg could not remove the package"; }
left=$(find "$root/usr" -path '*mhc*' 2>/dev/null || true)
[ -z "$left" ] || mhc_fail "the removed package left $left behind"
mhc_say "installed, found with CMake and pkg-config, and removed without a trace"
