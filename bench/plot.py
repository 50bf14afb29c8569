# SPDX-License-Identifier: MIT
"""python3 bench/plot.py FOLDER: draws FOLDER/roofline.svg and FOLDER/sinkhorn.svg from the
measurements of bench/run.sh, FOLDER/report.json and FOLDER/ceilings.json."""

import json
import math
import os
import sys

STYLE = """
    text { font-family: ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 13px; fill: #1f2328; }
    .title { font-size: 15px; font-weight: 600; }
    .small { font-size: 12px; fill: #59636e; }
    .back { fill: #ffffff; stroke: #d1d9e0; }
    .grid { stroke: #d1d9e0; stroke-width: 1; }
    .axis { stroke: #59636e; stroke-width: 1.2; fill: none; }
    .roof { stroke: #1f2328; stroke-width: 2; fill: none; }
    .leader { stroke: #59636e; stroke-width: 0.8; }
    .plain { stroke-dasharray: 6 4; }"""
COLOURS = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#7d4e00", "#0a7d91", "#cf222e")


def fail(sentence):
    sys.exit(f"mhc: {sentence}")


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        fail(f"{path} could not be read: {error.strerror}")


def number(value):
    """1, 10, 1000 without an exponent, 0.1 with its point."""
    return f"{value:g}"


class Picture:
    def __init__(self, width, height, label):
        self.width, self.height = width, height
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="{label}">',
            "  <!-- SPDX-License-Identifier: MIT -->", f"  <style>{STYLE}\n  </style>",
            f'  <rect class="back" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>']

    def text(self, x, y, words, kind="", anchor="start", more=""):
        self.parts.append(f'  <text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
                          f'{more}>{words}</text>')

    def line(self, points, kind, more=""):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'  <polyline class="{kind}" points="{path}" {more}/>')

    def circle(self, x, y, colour, filled=True):
        fill = colour if filled else "#ffffff"
        self.parts.append(f'  <circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" '
                          f'stroke="{colour}" stroke-width="2"/>')

    def write(self, path):
        try:
            with open(path + ".new", "w", encoding="utf-8") as file:
                file.write("\n".join(self.parts + ["</svg>", ""]))
            os.replace(path + ".new", path)
        except OSError as error:
            fail(f"{path} could not be written: {error.strerror}")


class Axes:
    """Two logarithmic axes in a box of a picture."""

    def __init__(self, picture, box, x_range, y_range):
        self.picture = picture
        self.left, self.top, self.right, self.bottom = box
        self.x_range, self.y_range = x_range, y_range

    def x(self, value):
        low, high = map(math.log, self.x_range)
        return self.left + (math.log(value) - low) / (high - low) * (self.right - self.left)

    def y(self, value):
        low, high = map(math.log, self.y_range)
        return self.bottom - (math.log(value) - low) / (high - low) * (self.bottom - self.top)

    def draw(self, x_ticks, y_ticks, x_label, y_label):
        for tick in x_ticks:
            self.picture.line([(self.x(tick), self.top), (self.x(tick), self.bottom)], "grid")
            self.picture.text(self.x(tick), self.bottom + 18, number(tick), "small", "middle")
        for tick in y_ticks:
            self.picture.line([(self.left, self.y(tick)), (self.right, self.y(tick))], "grid")
            self.picture.text(self.left - 8, self.y(tick) + 4, number(tick), "small", "end")
        self.picture.line([(self.left, self.top), (self.left, self.bottom),
                           (self.right, self.bottom)], "axis")
        middle = (self.top + self.bottom) / 2
        self.picture.text((self.left + self.right) / 2, self.bottom + 40, x_label, "", "middle")
        self.picture.text(self.left - 52, middle, y_label, "", "middle",
                          f'transform="rotate(-90 {self.left - 52:.1f} {middle:.1f})"')


def powers(low, high, base=10):
    """Powers of `base` in [low, high]."""
    first = math.ceil(math.log(low, base) - 1e-9)
    last = math.floor(math.log(high, base) + 1e-9)
    return [base**exponent for exponent in range(first, last + 1)]


class Labels:
    """Places labels beside points so that none covers another label or a point."""

    def __init__(self, axes, points):
        self.axes = axes
        self.taken = [(x - 7, y - 7, x + 7, y + 7) for x, y in points]

    def place(self, x, y, words, colour):
        width, height = 7.3 * len(words), 14
        for distance in (10, 24, 40, 58, 78, 100, 130):
            for angle in (0, 180, 45, 315, 135, 225, 90, 270, 20, 340, 160, 200):
                dx = distance * math.cos(math.radians(angle))
                dy = -distance * math.sin(math.radians(angle))
                left = x + dx - (width if dx < -1 else width / 2 if abs(dx) <= 1 else 0)
                box = (left, y + dy - height / 2, left + width, y + dy + height / 2)
                if self.free(box):
                    self.taken.append(box)
                    if distance > 20:
                        ends = [(x, y), (min(max(x, box[0]), box[2]), y + dy)]
                        self.axes.picture.line(ends, "leader")
                    self.axes.picture.text(left, y + dy + 4.5, words,
                                           more=f'style="fill: {colour}"')
                    return

    def free(self, box):
        axes = self.axes
        if box[0] < axes.left + 4 or box[2] > axes.right - 2:
            return False
        if box[1] < axes.top + 2 or box[3] > axes.bottom - 2:
            return False
        return all(box[2] < other[0] or box[0] > other[2] or box[3] < other[1] or box[1] > other[3]
                   for other in self.taken)


def ceiling(ceilings, name, threads):
    """The ceiling of the largest measured size: from memory, not from a cache."""
    found = [item for item in ceilings if item["ceiling"] == name and item["threads"] == threads]
    return max(found, key=lambda item: item["bytes"])["value"]


def draw_roofline(rows, ceilings, path):
    def main_row(row):
        if row["threads"] != 1:
            return False
        if row["op"].startswith("sinkhorn"):
            return (row["streams"], row["iterations"], row["tokens"]) == (4, 20, 1024)
        if row["name"].startswith("ggml/"):  # ours alone
            return False
        return row["channels"] == 4096 and row["tokens"] == (1 if row["op"] == "decode" else 1024)

    chosen = [row for row in rows if main_row(row)]
    if not chosen:
        return
    peak = ceiling(ceilings, "fma_gflops", 1)
    copy = ceiling(ceilings, "copy_gbytes_per_s", 1)
    intensity = [row["gflops"] / row["gbytes_per_s"] for row in chosen]
    x_range = (min(0.25, *intensity) / 1.3, max(64, *intensity) * 1.3)
    y_range = (min(peak / 20, *(row["gflops"] for row in chosen)) / 1.6, 1.7 * peak)
    picture = Picture(960, 560, "Roofline of the operations, one thread")
    picture.text(70, 30, "One thread, C = 4096, 1024 tokens (decode: 1); "
                 "Sinkhorn-Knopp 4 x 4, 20 iterations, 1024 matrices", "title")
    axes = Axes(picture, (80, 50, 935, 500), x_range, y_range)
    axes.draw(powers(*x_range, 2), powers(*y_range, 2), "flops per byte that must be moved",
              "GFLOP/s")
    ridge = peak / copy
    axes.picture.line([(axes.x(x_range[0]), axes.y(max(copy * x_range[0], y_range[0]))),
                       (axes.x(ridge), axes.y(peak)), (axes.right, axes.y(peak))], "roof")
    points = [(axes.x(x), axes.y(row["gflops"])) for x, row in zip(intensity, chosen)]
    labels = Labels(axes, points)
    # Keeps labels off the roof itself.
    for step in range(200):
        x = x_range[0] * (ridge / x_range[0])**(step / 199)
        labels.taken.append((axes.x(x) - 3, axes.y(copy * x) - 4, axes.x(x) + 3,
                             axes.y(copy * x) + 4))
    labels.taken.append((axes.x(ridge), axes.y(peak) - 22, axes.right, axes.y(peak) + 4))
    picture.text(axes.right - 4, axes.y(peak) - 8, f"multiply-add, {peak:.0f} GFLOP/s", "small",
                 "end")
    slope = math.degrees(math.atan2(axes.y(1) - axes.y(2), axes.x(2) - axes.x(1)))
    middle = math.sqrt(x_range[0] * ridge) / 1.5
    x, y = axes.x(middle), axes.y(copy * middle) - 9
    picture.text(x, y, f"copy, {copy:.0f} GB/s", "small", "middle",
                 f'transform="rotate({-slope:.1f} {x:.1f} {y:.1f})"')
    labels.taken.append((x - 50, y - 45, x + 45, y + 30))
    ops = sorted({row["op"] for row in chosen})
    for (x, y), row in zip(points, chosen):
        colour = COLOURS[ops.index(row["op"]) % len(COLOURS)]
        picture.circle(x, y, colour, row["dtype"] == "f32")
    for (x, y), row in zip(points, chosen):
        colour = COLOURS[ops.index(row["op"]) % len(COLOURS)]
        labels.place(x, y, f"{row['op'].replace('_', ' ')} {row['dtype']}", colour)
    picture.write(path)


def draw_sinkhorn(rows, path):
    rows = [row for row in rows if row["op"].startswith("sinkhorn") and row["tokens"] == 1024]
    if not rows:
        return
    times = [row["ns_per_token"] for row in rows]
    times += [row["ns_per_token"] * row["naive_ratio"] for row in rows]
    y_range = (min(times) / 1.5, max(times) * 1.5)
    iterations = sorted({row["iterations"] for row in rows})
    x_range = (min(1, *iterations) / 1.15, max(100, *iterations) * 1.15)
    picture = Picture(960, 520, "Time of Sinkhorn-Knopp per matrix over the number of iterations")
    picture.text(70, 30, "Sinkhorn-Knopp, 1024 matrices, one thread", "title")
    picture.line([(470, 26), (510, 26)], "axis", 'style="stroke-width: 2"')
    picture.text(518, 30, "mhc, -O2")
    picture.line([(620, 26), (660, 26)], "axis plain", 'style="stroke-width: 2"')
    picture.text(668, 30, "plain Eigen, -O3 -march=native")
    sizes = sorted({row["streams"] for row in rows})
    for panel, op in enumerate(("sinkhorn_forward", "sinkhorn_backward")):
        left = 80 + panel * 470
        axes = Axes(picture, (left, 75, left + 300, 460), x_range, y_range)
        picture.text(left, 65, op.split("_")[1])
        axes.draw([1, 5, 10, 20, 50, 100], powers(*y_range), "iterations",
                  "ns per matrix" if panel == 0 else "")
        ends = []
        for n in sizes:
            colour = COLOURS[sizes.index(n) % len(COLOURS)]
            line = sorted((row["iterations"], row["ns_per_token"], row["naive_ratio"])
                          for row in rows if row["op"] == op and row["streams"] == n)
            for plain in (False, True):
                points = [(axes.x(count), axes.y(ns * (ratio if plain else 1)))
                          for count, ns, ratio in line]
                picture.line(points, "plain" if plain else "",
                             f'style="fill: none; stroke: {colour}; stroke-width: 2"')
                for x, y in points:
                    picture.circle(x, y, colour, not plain)
                ends.append((points[-1][1], f"{n} x {n}" + (" Eigen" if plain else ""), colour,
                             points[-1][0]))
        last = -100.0
        for y, words, colour, x in sorted(ends):
            last = max(y + 4.5, last + 14)
            picture.text(x + 9, last, words, more=f'style="fill: {colour}"')
    picture.write(path)


def main():
    if len(sys.argv) != 2:
        fail("usage: python3 bench/plot.py FOLDER")
    folder = sys.argv[1]
    rows = read(os.path.join(folder, "report.json"))
    draw_roofline(rows, read(os.path.join(folder, "ceilings.json")),
                  os.path.join(folder, "roofline.svg"))
    draw_sinkhorn(rows, os.path.join(folder, "sinkhorn.svg"))


if __name__ == "__main__":
    main()
