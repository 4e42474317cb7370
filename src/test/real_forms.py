#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
The same tasks from every form of a Linux image: real_forms.py STASIS CACHE [KDUMP_TOOL]

Made here of the real guests, and removed again: LiME's ranges joined without their headers (format=raw), LiME files
cut off, kdump files in each packing, flattened and split (makedumpfile, KDUMP_TOOL), ELF cores as makedumpfile -E
writes them, flattened too. Exit status: 0 all agree, 1 not, 77 no images.
"""
import json
import os
import shutil
import struct
import subprocess
import sys

import images
import real_kdump
import real_linux
from real_linux import wrong

SYMBOLS = ("-S", "linux-symbols/686-pae.btf", "-S", "linux-symbols/System.map-686-pae")
LIME = (("linux-x64-hi", (), True), ("linux-i386-pae-hi", SYMBOLS, True), ("linux-i386-pae-hi", (), False))
LOWER = " lower in the file than in memory: holes were left out of it"
HEADER = struct.Struct("<IIQQQ")


def truth_of(cache, folder):
    with open(images.need(cache, f"{folder}/truth.json")[0], encoding="utf-8") as text:
        return json.load(text)


def lime_ranges(path):
    """(offset, first, length) of each."""
    with open(path, "rb") as lime:
        while head := lime.read(HEADER.size):
            _, _, first, last, _ = HEADER.unpack(head)
            yield lime.tell(), first, last - first + 1
            lime.seek(last - first + 1, os.SEEK_CUR)


def copy(path, to, offset, length):
    with open(path, "rb") as source:
        source.seek(offset)
        to.write(source.read(length))


def told_threads(stasis, name, truth, files, options=(), typed=True, want=0):
    """The document, after all tasks of it were held against the truth."""
    answer = real_linux.document(stasis, "threads", *files, *options, want=want)
    if answer:
        tasks, facts = real_linux.check_tasks(name, truth, answer["threads"], typed)
        print(f"{name}: {tasks} of {len(truth['threads'])} tasks, {facts} facts")
    return answer


def joined(stasis, cache, folder, names, typed, made):
    """All ranges one behind the other: the same answer as of the file that says where each was."""
    lime, = images.need(cache, f"{folder}/mem.lime")
    options = [images.need(cache, word)[0] if "/" in word else word for word in names]
    path, name = os.path.join(made, "joined"), f"{folder}, ranges joined{', symbols' if names else ''}"
    with open(path, "wb") as to:
        for offset, _, length in lime_ranges(lime):
            copy(lime, to, offset, length)
    truth = truth_of(cache, folder)
    got = told_threads(stasis, name, truth, [path], options, typed)
    like = real_linux.document(stasis, "threads", lime, *options)
    if not got or got["threads"] != like["threads"]:
        wrong(f"{name}: other facts than of the LiME file")
    if "ranges-joined" not in {note["code"] for note in got["notes"]}:
        wrong(f"{name}: it does not say that ranges were joined")
    image = real_linux.document(stasis, "info", path, *options)["image"]
    have = [(int(r["pa"], 16), int(r["len"], 16)) for r in image["ranges"]]
    if image["format"] != "lime-raw" or have != [(first, length) for _, first, length in lime_ranges(lime)]:
        wrong(f"{name}: {image['reader']}, ranges {have}")
    real_linux.check_pages(stasis, name, path, [*options, "--reader", "lime-raw"], truth)
    status, _, err = real_linux.ask(stasis, "threads", path, "--reader", "raw", *options)
    if status != 2 or LOWER not in err:
        wrong(f"{name}, --reader raw: exit status {status}: {err.strip()}")


def some_tasks(stasis, name, truth, path, least):
    """Of a file that is cut off: some tasks, no wrong one (but idle tasks), and exit status 3."""
    known = {task["tid"]: task for task in truth["threads"]}
    threads = (real_linux.document(stasis, "threads", path, want=3) or {"threads": []})["threads"]
    right = [t for t in threads if t["tid"] in known and t["pid"] == known[t["tid"]]["tgid"]]
    print(f"{name}: {len(right)} of {len(known)} tasks")
    if len(right) < least or len(threads) > len(right) + len([t for t in threads if t["tid"] == 0]):
        wrong(f"{name}: {len(right)} tasks right of {len(threads)}")
    return threads


def cut(stasis, cache, folder, made):
    """
    Cut in the last range: what is there is told right, what is missing is said. The joined ranges likewise, as long as
    the list of them is there; else it is said that they were joined.
    """
    lime, = images.need(cache, f"{folder}/mem.lime")
    ranges, truth = list(lime_ranges(lime)), truth_of(cache, folder)
    last, _, length = ranges[-1]
    plain, together = os.path.join(made, "cut"), os.path.join(made, "cut-joined")
    shutil.copyfile(lime, plain)
    with open(together, "wb") as to:
        for offset, _, size in ranges:
            copy(lime, to, offset, size)
    whole = os.path.getsize(together)
    for off, least in ((0x20000, len(truth["threads"]) - 2), (length // 2, len(truth["threads"]) // 4)):
        os.truncate(plain, last + length - off)
        os.truncate(together, whole - off)
        want = some_tasks(stasis, f"{folder}, {off >> 10} KiB cut off", truth, plain, least)
        if off == 0x20000:
            if want != some_tasks(stasis, f"{folder}, ranges joined, the same cut off", truth, together, least):
                wrong(f"{folder}: cut off, the joined ranges tell other tasks")
            continue
        status, _, err = real_linux.ask(stasis, "threads", together)
        if status != 2 or LOWER not in err:
            wrong(f"{folder}, ranges joined, {off >> 10} KiB cut off: exit status {status}: {err.strip()}")


def kdumps(stasis, cache, tool, made):
    kdump, = images.need(cache, "linux-x64-kdump/d31.none.kdump")
    truth = truth_of(cache, "linux-x64-kdump")
    first = None
    for name, files in {"as it is": [kdump], **real_kdump.forms(tool, kdump, made)}.items():
        answer = told_threads(stasis, f"kdump, {name}", truth, files)
        first = first or answer
        if not answer or answer["threads"] != first["threads"]:
            wrong(f"kdump, {name}: other facts than of the plain file")


def elfs(stasis, cache, made):
    elf, = images.need(cache, "linux-x64/mem.elf")
    truth = truth_of(cache, "linux-x64")
    core, filtered, flat = (os.path.join(made, name) for name in ("vmcore", "filtered", "flattened"))
    images.vmcore(elf, core)
    first = told_threads(stasis, "ELF as /proc/vmcore", truth, [core])
    if not shutil.which("makedumpfile"):
        print("makedumpfile is not installed: its ELF cores are left out")
        return
    subprocess.run(["makedumpfile", "-E", "-d", "31", core, filtered], check=True, capture_output=True)
    with open(flat, "wb") as to:
        subprocess.run(["makedumpfile", "-F", "-E", "-d", "31", core], check=True, stdout=to, stderr=subprocess.DEVNULL)
    plain = told_threads(stasis, "makedumpfile -E", truth, [filtered], want=3)  # what it left out is not there
    again = told_threads(stasis, "makedumpfile -F -E", truth, [flat], want=3)
    if plain["threads"] != again["threads"] or len(plain["threads"]) != len(first["threads"]):
        wrong("makedumpfile -E and -F -E: other facts")


def main():
    stasis, cache = (os.path.abspath(word) for word in sys.argv[1:3])
    made = os.path.join(cache, "forms")
    shutil.rmtree(made, ignore_errors=True)
    os.makedirs(made)
    for folder, names, typed in LIME:
        joined(stasis, cache, folder, names, typed, made)
    cut(stasis, cache, "linux-x64-hi", made)
    elfs(stasis, cache, made)
    if len(sys.argv) > 3:
        kdumps(stasis, cache, os.path.abspath(sys.argv[3]), made)
    shutil.rmtree(made)
    sys.exit(1 if real_linux.bad else 0)


if __name__ == "__main__":
    main()
