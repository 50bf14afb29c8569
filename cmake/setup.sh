# SPDX-License-Identifier: MIT
# Sourced by the scripts that build: mhc_need PACKAGE... sees to it that what these Debian packages
# bring is there, installs what is missing, and says so.

mhc_say() { printf 'mhc: %s\n' "$*"; }
mhc_fail() { printf 'mhc: %s\n' "$*" >&2; exit 1; }

# A header is looked for by compiling, so that one outside Debian's packages counts as well.
mhc_has_header() {
  local header=$1; shift
  printf '#include <%s>\n' "$header" |
    "$(mhc_compiler)" "$@" -std=c++17 -fsyntax-only -x c++ - 2>/dev/null
}

mhc_compiler() { command -v "${CXX:-c++}" || command -v g++ || command -v clang++ || echo c++; }

mhc_has() {
  case $1 in
    g++) command -v "$(mhc_compiler)" ;;
    cmake | clang | clang-tidy | clang-format | doxygen | git | python3) command -v "$1" ;;
    ninja-build) command -v ninja ;;
    pkg-config) command -v pkg-config ;;
    libeigen3-dev)
      # shellcheck disable=SC2046
      mhc_has_header Eigen/Core $(pkg-config --cflags eigen3 2>/dev/null) -I/usr/include/eigen3 ;;
    libgtest-dev) mhc_has_header gtest/gtest.h ;;
    libgmock-dev) mhc_has_header gmock/gmock.h ;;
    libbenchmark-dev) mhc_has_header benchmark/benchmark.h ;;
    zlib1g-dev) mhc_has_header zlib.h ;;
    libtorch-dev)  # one unpacked elsewhere counts where the environment has its Torch_DIR
      mhc_has_header ATen/Config.h || [ -f "${Torch_DIR-}/TorchConfig.cmake" ] ;;
    g++-aarch64-linux-gnu) command -v aarch64-linux-gnu-g++ && command -v aarch64-linux-gnu-gcc ;;
    qemu-user) command -v qemu-aarch64 ;;
    libclang-rt-*-dev)
      printf 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }\n' |
        clang++ -fsanitize=fuzzer,address,undefined -x c++ - -o /dev/null 2>/dev/null ;;
    libtbb-dev) mhc_has_header oneapi/tbb/parallel_for.h ;;
    libdlpack-dev) mhc_has_header dlpack/dlpack.h ;;
    python3-yaml) python3 -c 'import yaml' 2>/dev/null || /usr/bin/python3 -c 'import yaml' ;;
    dpkg-dev) command -v dpkg-buildpackage ;;
    debhelper) command -v dh ;;
    lintian) command -v lintian ;;
    googletest) [ -f /usr/src/googletest/CMakeLists.txt ] ;;
    *) mhc_fail "no check is written for the package $1" ;;
  esac >/dev/null
}

mhc_missing() {
  local package
  for package; do
    mhc_has "$package" || printf '%s ' "$package"
  done
}

mhc_need() {
  local missing as_root=() log
  missing=$(mhc_missing "$@")
  [ -n "$missing" ] || return 0
  missing=${missing% }
  command -v apt-get >/dev/null ||
    mhc_fail "this needs $missing (Debian's names), and there is no apt-get here to install them: install them and run it again"
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null ||
      mhc_fail "this needs $missing, and installing takes root or sudo: as root, run: apt-get install $missing"
    as_root=(sudo)
  fi
  mhc_say "installing $missing"
  log=$(mktemp)
  # shellcheck disable=SC2086
  if ! { "${as_root[@]}" apt-get update &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    mhc_fail "apt-get could not install $missing (its last lines stand above): is there a network?"
  fi
  rm -f "$log"
  # shellcheck disable=SC2086
  missing=$(mhc_missing $missing)
  [ -z "$missing" ] || mhc_fail "apt-get reported success, but ${missing% } cannot be found"
}

# mhc_quietly LOG COMMAND...: what it prints goes to LOG, and is shown if it fails.
mhc_quietly() {
  local log=$1; shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 || { cat "$log" >&2; mhc_fail "failed: $*"; }
}

# mhc_configure BUILD_TREE OPTION...: quiet unless it fails. A tree made for another place, as in a
# copied folder, is begun anew.
mhc_configure() {
  local tree=$1 log; shift
  if [ -f "$tree/CMakeCache.txt" ] &&
    ! grep -qxF "CMAKE_CACHEFILE_DIR:INTERNAL=$(cd "$tree" && pwd -P)" "$tree/CMakeCache.txt"; then
    rm -rf "$tree"
  fi
  mkdir -p "$tree"
  log=$tree/configure.log
  local launcher=()
  if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  if ! cmake -S . -B "$tree" -G Ninja -DCMAKE_BUILD_TYPE=Release "${launcher[@]}" "$@" >"$log" 2>&1; then
    cat "$log" >&2
    mhc_fail "CMake could not configure $tree (its output stands above)"
  fi
}

# mhc_build BUILD_TREE TARGET...: quiet unless it fails.
mhc_build() {
  local tree=$1 log; shift
  log=$tree/build.log
  if ! cmake --build "$tree" --target "$@" >"$log" 2>&1; then
    cat "$log" >&2
    mhc_fail "$* could not be built (the compiler's output stands above)"
  fi
}
