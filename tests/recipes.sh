#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bash tests/recipes.sh: checks the recipes and workflows as far as possible without the tools and
# servers that run them (cmake/packaging/README.md lists what is not covered).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source cmake/setup.sh

mhc_need git cmake g++ ninja-build libeigen3-dev python3 python3-yaml
python=python3
"$python" -c 'import yaml' 2>/dev/null || python=/usr/bin/python3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" - <<'PYTHON'
import ast, json, pathlib, re, sys
import yaml

def fail(*words):
    sys.exit("mhc: " + " ".join(str(word) for word in words))

cff = yaml.safe_load(pathlib.Path("CITATION.cff").read_text())
for key in ("cff-version", "message", "title", "authors", "license", "version", "abstract"):
    if not cff.get(key): fail("CITATION.cff has no", key)
if cff["cff-version"] != "1.2.0": fail("CITATION.cff is of", cff["cff-version"])
for reference in cff["references"]:
    for key in ("type", "title", "authors"):
        if not reference.get(key): fail("CITATION.cff: a reference has no", key)

for path in pathlib.Path(".github/workflows").glob("*.yml"):
    workflow = yaml.safe_load(path.read_text())
    if True not in workflow and "on" not in workflow: fail(path, "says not when it runs")
    for name, job in workflow["jobs"].items():
        if "runs-on" not in job or not job.get("steps"): fail(path, name, "runs nowhere or nothing")
        for step in job["steps"]:
            if ("uses" in step) == ("run" in step): fail(path, name, "a step uses or runs")
            if "uses" in step and not re.fullmatch(r"[\w/-]+@v\d+(\.\d+)*", step["uses"]):
                fail(path, name, step["uses"], "is not pinned to a version")
            for script in re.findall(r"bash ([\w./-]+)", step.get("run", "")):
                if not pathlib.Path(script).is_file(): fail(path, name, "there is no", script)

port = json.loads(pathlib.Path("cmake/packaging/vcpkg/vcpkg.json").read_text())
if "c" not in port["features"]: fail("vcpkg.json has no feature c")
for path in pathlib.Path("cmake/packaging/conan").rglob("conanfile.py"):
    classes = [node.name for node in ast.walk(ast.parse(path.read_text(), str(path)))
               if isinstance(node, ast.ClassDef)]
    if len(classes) != 1: fail(path, "has", classes)
PYTHON
mhc_say "CITATION.cff, the workflows, vcpkg.json and the Conan recipes are well formed"

# Runs the port's commands with replacements for vcpkg's functions: they install what vcpkg would.
for features in core "core;c"; do
  tree=$work/${features//;/_}
  mhc_quietly "$tree.log" cmake -D root="$PWD" -D packages="$tree/packages" -D build="$tree/build" \
    -D features="$features" -P tests/repository/vcpkg.cmake
  way=find_package
  if [ "$features" != core ]; then way=c_find_package; fi
  mhc_quietly "$tree.log" cmake -S tests/consumer/$way -B "$tree/consumer" -G Ninja \
    -DCMAKE_PREFIX_PATH="$tree/packages" -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF
  mhc_quietly "$tree.log" cmake --build "$tree/consumer"
  "$tree/consumer/consumer"
done
mhc_say "the vcpkg port's commands install what find_package finds"
