#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`translate --reverse`, on whole systems: every page comes back to exactly the places where its recipe has put it.

    reverse.py STASIS

Of each case a sample of the frames that its spaces map, each frame with every place in the kernel and in each process.
"""
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
import build  # noqa: E402
import run  # noqa: E402

CASES = ["win10-19041-x64", "win7sp1-x64", "xpsp3-pae", "xpsp3-x86"]
ASKED = 300


def places(system, recipe):
    """{frame: {(pid or None for the kernel, address)}}. What a process has in its upper half the kernel has, too."""
    out, known = {}, {p["pid"] for p in run.expected(system.truth, recipe)[0]}
    for process in system.processes:
        space = process.space
        top = space.va_mask + 1
        if process.pid not in known:
            continue        # hidden: nobody leads to its tables
        for page, pfn in space.frames.items():
            va = page * 4096
            upper = va >= top // 2
            if upper and space is not system.kernel:
                continue
            signed = va - top + (1 << 64) if system.pointer == 8 and upper else va
            out.setdefault(pfn, set()).add((None if upper else process.pid, signed))
    return out


def check(binary, case, folder):
    recipe = build.load_recipe(case)
    system = build.build(recipe)
    path = os.path.join(folder, "golden.raw")
    build.save(system, "raw", path)
    diff = run.Differences(os.path.basename(case))
    want = places(system, recipe)
    frames = sorted(want)[::1 + len(want) // ASKED]
    _, text, errors = run.stasis(binary, "translate", path, "--reverse", *(f"{f * 4096 + 0x10:#x}" for f in frames),
                                 "--format", "json")
    if errors:
        diff.add(errors.strip())
        return diff.show()
    answer = json.loads(text)
    got = {}
    for m in answer["mappings"]:
        # Through the self-map a large page's entry is read as if it were a small one's: the processor does that, too.
        tables = {e["pa"][:-3] for e in m["entries"]}
        self_map = system.pointer == 4 and 0xC0000000 <= run.number(m["va"]) < 0xC0800000
        if len(tables) == len(m["entries"]) and not self_map:
            where = (None if m["kernel"] else m["pid"], run.number(m["va"]) - 0x10)
            got.setdefault(run.number(m["pa"]) // 4096, set()).add(where)
    for frame in frames:
        diff.check(f"frame {frame:#x}", sorted(map(str, want[frame])), sorted(map(str, got.get(frame, set()))))
    diff.check("unmapped", [], answer["unmapped"])
    return diff.show()


def main(argv):
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for name in CASES:
            ok = check(os.path.abspath(argv[1]), os.path.join(build.DATA, name), folder)
            print(f"{'ok  ' if ok else 'FAIL'} {name}")
            good &= ok
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
