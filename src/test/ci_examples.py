#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ci_examples.py STASIS ROOT IMAGE: the examples of docs/CI.md, as they stand there. The YAML of the page is parsed,
and every line of its steps runs in a clean folder with a case in `cases`. Programs that need the network or root, and
the build, are played by small scripts (STUBS). Then the same with a reference that does not hold: they must fail."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

try:
    import yaml
except ImportError:
    print("no PyYAML (package python3-yaml): the examples are not run")
    sys.exit(77)

STASIS, ROOT, IMAGE = (os.path.abspath(path) for path in sys.argv[1:4])
STUBS = {
    "apt-get": 'echo "apt-get $*" >>"$ASKED"',
    "sudo": 'exec "$@"',
    "meson": '[ "$1" = setup ] && [ -d "$3" ] && mkdir -p "$2"',
    "ninja": f'[ "$1" = -C ] && [ -d "$2" ] && ln -s "{STASIS}" "$2/$3"',
}
bad = []


def complain(text):
    bad.append(text)
    print(f"FAIL {text}")


def blocks():
    with open(os.path.join(ROOT, "docs/CI.md"), encoding="utf-8") as page:
        return [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", page.read(), re.M | re.S)]


def folder_of(there, status):
    """A checkout as a job finds it: the tree, and a case that gives this exit status."""
    os.makedirs(os.path.join(there, "work/cases"))
    os.makedirs(os.path.join(there, "work/stasis"))
    os.makedirs(os.path.join(there, "bin"))
    for name, text in STUBS.items():
        path = os.path.join(there, "bin", name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nset -eu\n{text}\n")
        os.chmod(path, 0o755)
    image = os.path.join(there, "work/cases/xp.raw")
    os.symlink(IMAGE, image)
    reference = {"schema": "stasis/reference/1", "system": {"machine": "x86" if status == 0 else "x64"}}
    with open(image + ".ref.json", "w", encoding="utf-8") as file:
        json.dump(reference, file)
    return os.path.join(there, "work")


def environment(there):
    return {"PATH": f"{there}/bin:/usr/bin:/bin", "HOME": there, "ASKED": f"{there}/asked",
            "GITHUB_PATH": f"{there}/github_path", "LANG": "C.UTF-8"}


def execute(shell, lines, work, env):
    done = subprocess.run([*shell, lines], cwd=work, env=env, capture_output=True, timeout=300, check=False)
    return done.returncode, done.stdout.decode() + done.stderr.decode()


def github(document, there, work):
    """Each step in a shell of its own, as the runner starts it; what it adds to the path is for those that follow."""
    env = environment(there)
    ran = 0
    for job in document["jobs"].values():
        for step in job["steps"]:
            if "run" not in step:
                continue
            ran += 1
            status, said = execute(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"], step["run"], work, env)
            if status:
                return ran, status, said
            if os.path.exists(env["GITHUB_PATH"]):
                with open(env["GITHUB_PATH"], encoding="utf-8") as file:
                    env["PATH"] = ":".join([*reversed(file.read().split()), env["PATH"]])
                os.unlink(env["GITHUB_PATH"])
    return ran, 0, ""


def gitlab(document, there, work):
    """Both lists in one shell, which stops at the first failure."""
    ran = 0
    for job in document.values():
        lines = [*job["before_script"], *job["script"]]
        ran += len(lines)
        status, said = execute(["sh", "-ec"], "\n".join(lines), work, environment(there))
        report = os.path.join(work, job["artifacts"]["reports"]["junit"])
        if not os.path.exists(report) or ElementTree.parse(report).getroot().tag != "testsuites":
            complain("gitlab: there is no report")
        if status:
            return ran, status, said
    return ran, 0, ""


def packages(there):
    """What the examples install is what ./dev names."""
    with open(os.path.join(ROOT, "dev"), encoding="utf-8") as file:
        known = set(re.search(r'^base="(.*?)"', file.read(), re.M | re.S).group(1).replace("\\\n", " ").split())
    with open(os.path.join(there, "asked"), encoding="utf-8") as file:
        lines = file.read().split("\n")
    for line in lines:
        words = [word for word in line.split()[2:] if not word.startswith("-")]
        if not set(words) <= known:
            complain(f"not in ./dev: {sorted(set(words) - known)}")
    if "apt-get update" not in lines:
        complain("nothing was installed")


def json_blocks():
    """The references of the page are such, and its case."""
    with open(os.path.join(ROOT, "docs/CI.md"), encoding="utf-8") as page:
        texts = re.findall(r"^```json\n(.*?)^```$", page.read(), re.M | re.S)
    with tempfile.TemporaryDirectory() as there:
        for text in texts:
            document = json.loads(text)
            if document["schema"] != "stasis/reference/1":
                continue
            path = os.path.join(there, "r.json")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            done = subprocess.run([STASIS, "check", IMAGE, "--against", path], capture_output=True, check=False)
            if done.returncode != 4 or b"state" in done.stdout:  # teb and stack are not those of this image
                complain(f"the reference of the page: {done.returncode} {done.stdout.decode()}")
    if len(texts) != 2:
        complain(f"{len(texts)} JSON blocks")


def main():
    documents = blocks()
    if len(documents) != 2:
        complain(f"{len(documents)} YAML blocks")
    for runner, document, steps in zip((github, gitlab), documents, (3, 6)):
        for wanted in (0, 4):
            with tempfile.TemporaryDirectory() as there:
                ran, status, said = runner(document, there, folder_of(there, wanted))
                if status != wanted or (wanted == 0 and ran != steps):
                    complain(f"{runner.__name__}: {ran} steps, exit status {status}, want {wanted}: {said}")
                if wanted == 4 and runner is github and "::error file=" not in said:
                    complain(f"github: says {said}")
                packages(there)
    json_blocks()
    print("all is well" if not bad else f"{len(bad)} complaints")
    return 1 if bad else 0


if __name__ == "__main__":
    if not shutil.which("bash"):
        sys.exit(77)
    sys.exit(main())
