#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The compressed store, page by page.

    compressed.py STASIS

For every case whose recipe has a `store`, as a raw image:
  - each page that was put into the store is read back in its process's address space, all 4096 bytes; where the recipe
    says that it cannot be, no byte is shown and the reason is the one that the damage has;
  - `translate` calls it compressed, and names its page file and its place there;
  - the modules of a process whose PEB and loader lists lie in the store are the recipe's;
  - without the store manager none of these bytes is shown, and the pages are paged out.
"""
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
import build  # noqa: E402
import run  # noqa: E402
import store  # noqa: E402
from synth import PAGE  # noqa: E402

WHY = {"unknown": "the store manager does not know it", "torn": "a node of its store's tree is damaged",
       "lost": "its compressed bytes are not in the image", "bad": "its compressed bytes do not make a page"}


def check_read(diff, binary, path, page):
    status, text, _ = run.stasis(binary, "read", path, "--process", str(page.process.pid), hex(page.va), hex(PAGE),
                                 "--format", "json")
    answer = json.loads(text)
    who = f"pid {page.process.pid}, {page.va:#x} ({page.how})"
    if page.how in store.WHOLE:
        diff.check(f"{who}: exit status", 0, status)
        if answer["bytes"] != page.data.hex():
            diff.add(f"{who}: other bytes than were put into the store")
    else:
        diff.check(f"{who}: exit status", 3, status)
        diff.check(f"{who}: bytes", {"?"}, set(answer["bytes"]))


def check_translate(diff, binary, path, page, pagefile):
    _, text, _ = run.stasis(binary, "translate", path, "--process", str(page.process.pid), hex(page.va + 0x123))
    who = f"pid {page.process.pid}, {page.va:#x} ({page.how})"
    for part in ["compressed store", f"(page file {pagefile}) at {page.number * PAGE + 0x123:#x}",
                 WHY.get(page.how, "")]:
        if part not in text:
            diff.add(f"{who}: translate says {text.strip()!r}, without {part!r}")


def check_modules(diff, binary, path, process):
    _, text, _ = run.stasis(binary, "modules", path, "--process", str(process.pid), "--format", "json")
    want = sorted((m["base"], m["size"], m["name"], m["path"]) for m in process.modules)
    got = sorted((run.number(m["base"]), run.number(m["size"]), m["name"], m["path"])
                 for m in json.loads(text)["modules"])
    diff.check(f"modules of pid {process.pid}", want, got)


def check_whole(binary, case, folder):
    recipe = build.load_recipe(case)
    system = build.build(recipe)
    path = os.path.join(folder, "golden.raw")
    build.save(system, "raw", path)
    diff = run.Differences(os.path.basename(case))
    for page in system.store.evicted:
        check_read(diff, binary, path, page)
        check_translate(diff, binary, path, page, system.store.pagefile)
    for process in system.processes:
        if process.kind == "user" and not process.recipe.get("minimal"):
            check_modules(diff, binary, path, process)
    return diff.show(), len(system.store.evicted)


def check_without(binary, case, folder):
    """The store manager's tree gone: what lay in the store is paged out, and nobody guesses."""
    system = build.build(build.load_recipe(case))
    system.kernel.write(system.store.manager + 0x1C0, bytes(8))
    path = os.path.join(folder, "golden.raw")
    build.save(system, "raw", path)
    diff = run.Differences(f"{os.path.basename(case)}, without a store manager")
    for page in system.store.evicted:
        _, text, _ = run.stasis(binary, "read", path, "--process", str(page.process.pid), hex(page.va), hex(PAGE))
        if "paged out" not in text:
            diff.add(f"pid {page.process.pid}, {page.va:#x}: {text.strip()[:100]!r}")
    return diff.show()


def main(argv):
    binary, good = os.path.abspath(argv[0]), True
    for case in build.cases():
        if "store" not in build.load_recipe(case)["system"]:
            continue
        with tempfile.TemporaryDirectory() as folder:
            whole, pages = check_whole(binary, case, folder)
            without = check_without(binary, case, folder)
        good &= whole and without
        print(f"{'ok  ' if whole and without else 'FAIL'} {os.path.basename(case)}: {pages} pages", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
