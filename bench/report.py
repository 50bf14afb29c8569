# SPDX-License-Identifier: MIT
"""python3 bench/report.py ceilings|rows FOLDER: reads the output of the benchmark programs, a line
of JSON each, from standard input; prints a table as the lines arrive, and finally writes
FOLDER/ceilings.json or FOLDER/report.json atomically. A last line "end" means that all programs
succeeded."""

import json
import os
import sys
import tempfile

KEYS = ("name", "op", "streams", "channels", "tokens", "dtype", "threads", "iterations",
        "ns_per_token", "naive_ratio", "roofline_fraction", "gflops", "gbytes_per_s")


def fail(sentence):
    sys.exit(f"mhc: {sentence}")


def records(stream):
    for line in stream:
        if line.strip() == "end":
            return
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            fail(f"a benchmark program wrote a line that is not JSON: {line.strip()}")
    fail("a benchmark program failed: no report was written")


def write_list(path, items):
    """Writes one item per line to a temporary file, which is renamed once it is on disk."""
    text = "[\n" + ",\n".join(json.dumps(item) for item in items) + "\n]\n"
    temporary = None
    try:
        with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(path), delete=False,
                                         prefix=os.path.basename(path) + ".") as file:
            temporary = file.name
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None and os.path.exists(temporary):
            os.remove(temporary)
        fail(f"{path} could not be written: {error.strerror}")


def size(count):
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            break
        count //= 1024
    return f"{count} {unit}"


def duration(ns):
    for unit in ("ns", "us", "ms"):
        if ns < 1000:
            break
        ns /= 1000
    return f"{ns:.3g} {unit}" if ns < 100 else f"{ns:.0f} {unit}"


def print_ceilings(items):
    names = {"fma_gflops": ("multiply-add, f32", "GFLOP/s"),
             "bf16_dot_gflops": ("dot product, bf16", "GFLOP/s"),
             "read_gbytes_per_s": ("read", "GB/s"), "copy_gbytes_per_s": ("copy", "GB/s")}
    threads = sorted({item["threads"] for item in items})
    print(f"{'ceilings':<26}" + "".join(f"{f'{count} threads' if count > 1 else '1 thread':>18}"
                                        for count in threads))
    values = {}
    for item in items:
        name, unit = names[item["ceiling"]]
        what = name + (f", {size(item['bytes'])}" if item["bytes"] else "")
        values.setdefault(what, {})[item["threads"]] = f"{item['value']:.1f} {unit}"
    for what, of in values.items():
        print(f"{what:<26}" + "".join(f"{of.get(count, '-'):>18}" for count in threads))
    print(flush=True)


def print_header():
    print(f"{'operation':<18}{'n':>3}{'C':>6}{'k':>5}{'tokens':>7}{'type':>6}{'threads':>8}"
          f"{'per token':>11}{'x Eigen':>9}{'roofline':>9}{'GFLOP/s':>9}{'GB/s':>8}{'ratio':>8}")


def print_row(row):
    other = row["other_ns_per_token"]
    operation = row["name"].split("/n")[0].replace("/", " ")  # op, or whose and op
    print(f"{operation:<18}{row['streams']:>3}{row['channels'] or '-':>6}{row['iterations']:>5}"
          f"{row['tokens']:>7}{row['dtype']:>6}{row['threads']:>8}"
          f"{duration(row['ns_per_token']):>11}{row['naive_ratio']:>9.2f}"
          f"{row['roofline_fraction']:>9.2f}{row['gflops']:>9.1f}{row['gbytes_per_s']:>8.1f}"
          + (f"{row['ns_per_token'] / other:>8.2f}" if other else ""), flush=True)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("ceilings", "rows"):
        fail("usage: python3 bench/report.py ceilings|rows FOLDER")
    what, folder = sys.argv[1:]
    if what == "ceilings":
        items = list(records(sys.stdin))
        print_ceilings(items)
        write_list(os.path.join(folder, "ceilings.json"), items)
        return
    print_header()
    rows = {}  # a row that was measured again replaces the first one
    for row in records(sys.stdin):
        print_row(row)
        rows[row["name"]] = {key: row[key] for key in KEYS}
    print("\nper token: the median; for Sinkhorn-Knopp (k iterations) a token is an n x n matrix."
          "\nx Eigen: how many times longer the plain Eigen program takes, -O3 -march=native."
          "\nratio: ours with -O2 over ours with -O3 -march=native; in ggml's rows ggml over ours.")
    write_list(os.path.join(folder, "report.json"), list(rows.values()))


if __name__ == "__main__":
    main()
