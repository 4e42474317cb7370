#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""clang-tidy over every C file of the tree, quiet where a file is clean.

usage: tidy.py BUILD [FILE...]

BUILD has compile_commands.json (any clang build of meson). Without FILE: all that git knows. A file that was clean is
not read again until something that it includes, .clang-tidy or clang-tidy itself changes: what was clean is remembered
in BUILD/tidy, by the hash of the preprocessed text. Exit status: 0 all clean, 1 not.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys


def one_command_each(build, where):
    """Writes WHERE/compile_commands.json: each file once, as it was first compiled. clang-tidy reads a file once for
    every command that it finds, and a file that fifty tests are linked from would be read fifty times. Gives the
    entries."""
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        entries.setdefault(os.path.realpath(os.path.join(entry["directory"], entry["file"])), entry)
    (where / "compile_commands.json").write_text(json.dumps(list(entries.values())))
    return entries


def preprocess(entry):
    """The words that print an entry's text after the preprocessor."""
    words = shlex.split(entry["command"])
    words = words[1:] if words[0].endswith("ccache") else words
    kept = [w for i, w in enumerate(words)
            if w not in ("-c", "-o", "-MD", "-MF", "-MQ") and words[i - 1] not in ("-o", "-MF", "-MQ")]
    return kept + ["-E", "-C", "-P"]  # -C: a comment may be a NOLINT


def run(words, where):
    """Exit status, and both outputs as bytes."""
    done = subprocess.run(words, cwd=where, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


class Tidy:
    def __init__(self, build):
        self.kept = build / "tidy"
        self.kept.mkdir(exist_ok=True)
        self.entries = one_command_each(build, self.kept)
        self.base = run(["clang-tidy", "--version"], ".")[1] + pathlib.Path(".clang-tidy").read_bytes()

    def mark(self, path):
        """Where it is remembered that this text of the file was clean; None for a file that this build leaves out."""
        entry = self.entries.get(os.path.realpath(path))
        if not entry:
            return None
        status, text = run(preprocess(entry), entry["directory"])
        return self.kept / hashlib.sha256(self.base + path.encode() + text).hexdigest() if status == 0 else None

    def file(self, path):
        """What clang-tidy has against the file; empty where it is clean."""
        mark = self.mark(path)
        if mark and mark.exists():
            return b""
        status, text = run(["clang-tidy", "--quiet", "-p", str(self.kept), path], ".")
        if status == 0:
            if mark:
                mark.touch()
            return b""
        return text or f"{path}: clang-tidy ends with {status}\n".encode()


def main():
    build = pathlib.Path(sys.argv[1])
    paths = sys.argv[2:] or subprocess.check_output(["git", "ls-files", "*.c"], text=True).split()
    paths.sort(key=os.path.getsize, reverse=True)  # the long ones first, or they end alone
    tidy = Tidy(build)
    bad = []
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for done, (path, said) in enumerate(zip(paths, pool.map(tidy.file, paths)), 1):
            if said:
                bad.append(path)
                sys.stdout.write(said.decode(errors="replace"))
            if sys.stderr.isatty() or done % 50 == 0 or done == len(paths):
                print(f"tidy: {done} of {len(paths)} files, {len(bad)} not clean", file=sys.stderr, flush=True)
    for path in sorted(bad):
        print(f"tidy: not clean: {path}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
