#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Processor seconds and peak memory of compilations.

python3 bench/compile_time.py [--against INCLUDE_FOLDER] [--rounds N] [--compiler g++]
    compiles a few programs with -O2, in turns, and prints medians, beside that of Eigen/Core alone;
    with --against, the same with the headers in another folder, and the ratio of each pair.

python3 bench/compile_time.py --tests [SOURCE_TREE]
    builds all tests of a tree in a folder of its own and prints the processor time of it all, the
    slowest compilations and those that take the most memory.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

UMBRELLA = "#include <mhc/mhc.hpp>\nint main() {}\n"
BLOCK = """#include <mhc/mhc.hpp>
int main() {
  const long tokens = 8, channels = 64;
  mhc::Parameters<4> parameters(channels), gradients(channels);
  const mhc::Block<4> block(parameters);
  mhc::Streams<float> x(tokens, 4, channels), dx(tokens, 4, channels);
  mhc::Activations<mhc::Block<4>> kept(tokens, channels);
  const auto copy = [](auto from, auto to) { to.matrix() = from.matrix(); };
  block.forward(x, copy, x, kept);
  block.backward(x, dx, copy, kept, dx, gradients);
}
"""


def run(command):
    """Processor seconds, peak memory in MB and exit status of one command."""
    child = subprocess.Popen(command)
    _, status, usage = os.wait4(child.pid, 0)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)


def record(log, command):
    """A compiler launcher: appends a line to the log and passes the exit status on."""
    seconds, megabytes, status = run(command)
    name = command[command.index("-o") + 1] if "-o" in command else command[-1]
    with open(log, "a", encoding="utf-8") as out:
        out.write(f"{seconds:.2f} {megabytes:.0f} {name}\n")
    sys.exit(status)


def first_program():
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as page:
        return page.read().split("```cpp\n", 1)[1].split("```", 1)[0]


def programs(options):
    """(name, source, flags, include folder) of each compilation."""
    ours = os.path.join(TOP, "include")
    trees = [("", ours)] + ([("before: ", options.against)] if options.against else [])
    yield "Eigen/Core alone", "#include <Eigen/Core>\nint main() {}\n", [], ours
    for prefix, include in trees:
        yield prefix + "mhc.hpp, empty main", UMBRELLA, [], include
        yield prefix + "the README's program", first_program(), [], include
        yield prefix + "Block<4> forward and backward", BLOCK, [], include
    yield "the README's program, mhc::compiled", first_program(), ["-DMHC_COMPILED"], ours
    yield "Block<4> forward and backward, mhc::compiled", BLOCK, ["-DMHC_COMPILED"], ours


def measure(options):
    flags = subprocess.run(["pkg-config", "--cflags", "eigen3"], capture_output=True, text=True, check=False)
    eigen = flags.stdout.split() or ["-I/usr/include/eigen3"]
    rows = list(programs(options))
    seconds = [[] for _ in rows]
    memory = [0.0] * len(rows)
    with tempfile.TemporaryDirectory() as folder:
        for round_ in range(options.rounds):
            for i, (name, source, extra, include) in enumerate(rows):
                path = os.path.join(folder, f"{i}.cpp")
                with open(path, "w", encoding="utf-8") as out:
                    out.write(source)
                command = [options.compiler, "-std=c++17", "-O2", f"-I{include}", *eigen, *extra,
                           "-c", path, "-o", os.path.join(folder, "out.o")]
                spent, megabytes, status = run(command)
                if status != 0:
                    sys.exit(f"{name} does not compile")
                seconds[i].append(spent)
                memory[i] = max(memory[i], megabytes)
    print(f"{options.compiler} -O2, median of {options.rounds} rounds in turns\n")
    print(f"{'':48} {'seconds':>8} {'/ Eigen':>8} {'MB':>6}")
    for i, (name, *_) in enumerate(rows):
        ratio = statistics.median(a / b for a, b in zip(seconds[i], seconds[0]))
        print(f"{name:48} {statistics.median(seconds[i]):8.2f} {ratio:8.2f} {memory[i]:6.0f}")
    if options.against:
        print()
        names = [name for name, *_ in rows]
        for i, name in enumerate(names):
            before = "before: " + name.split(", mhc::compiled")[0]
            if before in names:
                pairs = zip(seconds[i], seconds[names.index(before)])
                print(f"{name:48} {statistics.median(a / b for a, b in pairs):8.2f} of before")


def measure_tests(tree):
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        launcher = f"{sys.executable};{os.path.abspath(__file__)};--record;{log};--"
        configure = ["cmake", "-S", tree, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                     "-DMHC_BUILD_BENCHMARKS=OFF", "-DMHC_BUILD_C=ON",
                     "-DMHC_BUILD_COMPILED=ON",
                     "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG", f"-DCMAKE_CXX_COMPILER_LAUNCHER={launcher}"]
        subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
        seconds, _, status = run(["cmake", "--build", folder, "--", "--quiet"])
        if status != 0:
            sys.exit("the tests do not build")
        with open(log, encoding="utf-8") as lines:
            rows = [line.rstrip("\n").split(" ", 2) for line in lines]
    print(f"all tests: {seconds / 60:.1f} processor minutes, {len(rows)} compilations")
    for title, column in (("slowest, seconds", 0), ("most memory, MB", 1)):
        print(f"\n{title}")
        for row in sorted(rows, key=lambda r: -float(r[column]))[:10]:
            print(f"{row[column]:>8}  {row[2]}")


def main():
    if sys.argv[1:2] == ["--record"]:
        record(sys.argv[2], sys.argv[4:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--against", metavar="INCLUDE_FOLDER")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compiler", default=os.environ.get("CXX", "g++"))
    parser.add_argument("--tests", metavar="SOURCE_TREE", nargs="?", const=TOP)
    options = parser.parse_args()
    if options.tests:
        measure_tests(options.tests)
    else:
        measure(options)


if __name__ == "__main__":
    main()
