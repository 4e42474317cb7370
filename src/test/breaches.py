# SPDX-License-Identifier: MIT
"""What the scripts about `batch` share: each breach is a line, their number the end."""
import json
import os
import pathlib
import subprocess
import sys


class Breaches:
    def __init__(self, name, stasis):
        self.name, self.stasis, self.count = name, str(pathlib.Path(stasis).resolve()), 0

    def check(self, condition, text):
        if not condition:
            self.count += 1
            print(f"{self.name}: {text}")

    def run(self, *words, status=None, **more):
        done = subprocess.run([self.stasis, *map(os.fspath, words)], capture_output=True, timeout=300, **more)
        if status is not None:
            self.check(done.returncode == status,
                       f"{words}: exit status {done.returncode}, not {status}: {done.stderr.decode()}")
        return done

    def skip_without_batch(self):
        if b"was built without" in self.run("batch", "x", "-o", "/nonexistent/x").stderr:
            print(f"{self.name}: skipped, as this stasis was built without nettle or libseccomp")
            sys.exit(77)

    def end(self):
        """The exit status."""
        print(f"{self.name}: {self.count} breaches" if self.count else f"{self.name}: ok")
        return 1 if self.count else 0


def summary(out):
    """The lines of summary.jsonl, by name, member and inner."""
    lines = [json.loads(line) for line in (out / "summary.jsonl").read_bytes().splitlines()]
    return {(x["name"], x["member"], x["inner"]): x for x in lines}


def base_image(root, folder):
    """The bytes of a small golden system."""
    path = folder / "base.raw"
    subprocess.run([sys.executable, "-B", root / "src/test/golden/build.py", root / "testdata/golden/xpsp3-x86", path],
                   check=True, stdout=subprocess.DEVNULL)
    return path.read_bytes()
