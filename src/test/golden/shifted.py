#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Wrong layouts: each place that lists, ids, states and stacks depend on, shifted by 4 or 8 bytes, must be noticed.

    shifted.py STASIS [CASE ...]      two golden cases by default; `all` for every one whose version is built in

A layout file with one member in the wrong place is given with `--layout`. Either it is refused ("does not fit"), or a
note `layout-doubtful` names the member, or the answer is the same as with the right one (the two thread lists stand in
for each other, and then the torn one is noted).
"""
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
import build  # noqa: E402
import own_layout  # noqa: E402
import run  # noqa: E402

CASES = ["xpsp3-x86", "win10-19041-x64"]
MEMBERS = {
    "_EPROCESS": ["UniqueProcessId", "ActiveProcessLinks", "ImageFileName", "ThreadListHead", "Peb", "ActiveThreads"],
    "_KPROCESS": ["DirectoryTableBase", "ThreadListHead"],
    "_ETHREAD": ["Cid", "ThreadListEntry", "CreateTime", "StartAddress", "Win32StartAddress"],
    "_KTHREAD": ["ThreadListEntry", "Process", "ApcState", "State", "WaitReason", "WaitMode", "WaitIrql",
                 "InitialStack", "StackBase", "StackLimit", "KernelStack", "Teb", "TrapFrame", "WaitBlockList"],
}
# These, and what lies inside them, are kept: a small file is read soon.
KEPT = list(MEMBERS) + ["_DISPATCHER_HEADER", "_KPRCB", "_KPCR", "_TEB", "_KWAIT_BLOCK"]
SHIFTS = [4, -4, 8, -8]


def layout_of(system):
    """Name of the built-in layout of the version that the builder took its places from."""
    return system.places["name"]


def kept(types):
    """KEPT and every structure that lies inside one of them."""
    names, found = list(KEPT), {}
    while names:
        name = names.pop()
        if name in types and name not in found:
            found[name] = types[name]
            names += [f["type"]["name"] for f in types[name]["fields"].values() if "name" in f["type"]]
    return found


class Shift:
    def __init__(self, binary, folder, name):
        self.binary, self.folder, self.diff = binary, folder, run.Differences(name)
        self.counts = {"refused": 0, "named": 0, "same": 0, "silent": 0}
        self.image = os.path.join(folder, "shifted.raw")
        system = build.build(build.load_recipe(os.path.join(build.DATA, name)))
        build.save(system, "raw", self.image)
        self.isf = own_layout.document(layout_of(system), "x64" if system.pointer == 8 else "x86")
        self.isf["user_types"] = kept(self.isf["user_types"])
        status, answer, errors = self.threads()
        if answer is None or any(n["code"] == "layout-doubtful" for n in answer["notes"]):
            self.diff.add(f"the right layout: {errors or answer['notes']}")
        self.right = answer and answer["threads"]

    def threads(self):
        path = os.path.join(self.folder, "shifted.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(self.isf, f)
        status, text, errors = run.stasis(self.binary, "threads", self.image, "--format", "json", "--layout", path)
        return status, json.loads(text) if text else None, errors

    def outcome(self, path):
        status, answer, errors = self.threads()
        if answer is None:
            return "refused" if status == 2 and "does not fit" in errors else "silent"
        doubts = [n["text"] for n in answer["notes"] if n["code"] == "layout-doubtful"]
        if any(path in text for text in doubts):
            return "named"
        return "same" if answer["threads"] == self.right else "silent"

    def all(self):
        for structure, members in MEMBERS.items():
            fields = self.isf["user_types"].get(structure, {"fields": {}})["fields"]
            for member in members:
                for by in SHIFTS if member in fields else []:
                    fields[member]["offset"] += by
                    if fields[member]["offset"] >= 0:
                        what = self.outcome(f"{structure}.{member}")
                        self.counts[what] += 1
                        if what == "silent":
                            self.diff.add(f"{structure}.{member} {by:+}: not noticed")
                    fields[member]["offset"] -= by
        return self.diff.show()


def main(argv):
    if len(argv) < 2:
        print(__doc__, file=sys.stderr)
        return 1
    good, names = True, argv[2:] or CASES
    if names == ["all"]:
        names = sorted(os.path.basename(path) for path in build.cases())
        # Few threads, none of which runs, cannot contradict a reason to wait.
        names = [n for n in names if "everyone" in build.load_recipe(os.path.join(build.DATA, n))["casts"]]
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            shift = Shift(os.path.abspath(argv[1]), folder, name)
            good = shift.all() and good
            print(f"{name}: " + ", ".join(f"{count} {what}" for what, count in shift.counts.items()))
    print("ok" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
