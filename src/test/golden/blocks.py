#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Images in compressed blocks: the same answer as of the plain file, without unpacking it.

    blocks.py STASIS [CASE ...]

Of each case (one of each pointer size by default), as raw memory and as ELF, packed by xz in blocks:
  - `info` says that it is read by its blocks, and no temporary file is wanted (there is no folder for one);
  - `threads --hidden --evidence` gives the same document but for the section image, and the same exit status;
  - a crash dump, whose reader wants it in place, is unpacked, and gives its plain form's document;
  - with a block in the middle damaged it is a partial answer or none, and what it says of a thread that both tell is
    the same, or absent.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import build  # noqa: E402
import run  # noqa: E402

CASES = os.path.join(build.HERE, "../../../testdata/golden")
DEFAULT = ["win10-19041-x64", "xpsp3-x86"]
BLOCK = 256 << 10
FEW = ("tid", "pid", "state", "create_time", "teb", "kernel_stack")


def answer(binary, path, *options):
    status, text, _ = run.stasis(binary, "threads", path, "--hidden", "--format", "json", "--tmp", "/nonexistent",
                                 *options)
    return status, json.loads(text) if text else None


def check_whole(diff, binary, plain, packed):
    status, want = answer(binary, plain, "--evidence")
    got_status, got = answer(binary, packed, "--evidence")
    diff.check("exit status", status, got_status)
    for key in want:
        if key != "image" and want[key] != got[key]:
            diff.add(f"{key} differs")
    _, text, _ = run.stasis(binary, "info", packed, "--tmp", "/nonexistent")
    blocks = -(-os.path.getsize(plain) // BLOCK)
    if f"read by its {blocks} blocks" not in text:
        diff.add("info does not say that it is read by its blocks")
    return want


def check_unpacked(diff, binary, system, folder):
    plain = os.path.join(folder, "golden.dmp")
    build.save(system, "dmp-full", plain)
    subprocess.run(["xz", "-kf", "-0", f"--block-size={BLOCK}", plain], check=True)
    want, got = (run.stasis(binary, "threads", path, "--format", "json", paged=False)
                 for path in (plain, plain + ".xz"))
    diff.check("dump: exit status", want[0], got[0])
    if not got[1] or json.loads(want[1])["threads"] != json.loads(got[1])["threads"]:
        diff.add("dump: other threads out of the packed file")
    if "unpacked" not in run.stasis(binary, "info", plain + ".xz")[1]:
        diff.add("dump: info does not say that it was unpacked")


def check_damaged(diff, binary, packed, whole):
    size = os.path.getsize(packed)
    with open(packed, "r+b") as file:
        file.seek(size // 2)
        bytes_there = file.read(16)
        file.seek(size // 2)
        file.write(bytes(b ^ 0xff for b in bytes_there))
    status, got = answer(binary, packed)
    if status not in (2, 3):
        diff.add(f"damaged: exit status {status}")
    known = {thread["object"]: thread for thread in whole["threads"]}
    for thread in got["threads"] if got and "threads" in got else []:
        for key in FEW if thread["object"] in known else ():
            if thread[key] is not None and thread[key] != known[thread["object"]][key]:
                diff.add(f"damaged: {key} of {thread['object']}: {thread[key]}")


def check_case(binary, name, folder):
    diff = run.Differences(f"{name}, in blocks")
    system = build.build(build.load_recipe(os.path.join(CASES, name)))
    for form in ("raw", "elf"):
        plain = os.path.join(folder, f"{name}.{form}")
        build.save(system, form, plain)
        subprocess.run(["xz", "-kf", "-0", f"--block-size={BLOCK}", plain], check=True)
        whole = check_whole(diff, binary, plain, plain + ".xz")
        check_damaged(diff, binary, plain + ".xz", whole)
    check_unpacked(diff, binary, system, folder)
    return diff.show()


def main(argv):
    if not shutil.which("xz"):
        print("skipped: there is no xz (package xz-utils)")
        return 77
    with tempfile.TemporaryDirectory(prefix="stasis-blocks-") as folder:
        good = [check_case(os.path.abspath(argv[0]), name, folder) for name in argv[1:] or DEFAULT]
    print(f"{sum(good)} of {len(good)} cases give the same answer out of compressed blocks")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
