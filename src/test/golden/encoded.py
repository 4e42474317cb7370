#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The encoded debugger block, with the symbols of the PDB, without them, and under a key that is wrong.

    encoded.py STASIS

For every case whose recipe has `kdbg = "encoded"`, as a raw image: the block's address, the form it is told to have,
what it feeds (PsActiveProcessHead, PsLoadedModuleList, the layout's evidence), and the threads, which are always the
recipe's.
"""
import copy
import os
import sys
import tempfile

sys.dont_write_bytecode = True
import build  # noqa: E402
import run  # noqa: E402

SYMBOLS = "decoded with the PDB's symbols"
SOLVED = "decoded with keys solved from the kernel's base"
OTHER_GUID = "00112233445566778899AABBCCDDEEFF"     # a kernel that nobody knows


def flip(system, va, bit):
    data = bytearray(system.kernel.read(va, 1))
    data[0] ^= bit
    system.kernel.write(va, bytes(data))


def check(binary, case, folder, what, form, *, symbols=True, guid=None, broken=None):
    recipe = copy.deepcopy(build.load_recipe(case))
    if not symbols:
        recipe["system"]["symbols"] = False
    if guid:
        recipe["system"].update(pdb_guid=guid, timestamp=0x12345678)
    system = build.build(recipe)
    if broken:
        name, offset, bit = broken
        flip(system, system.labels.at[name] + offset, bit)
    path = os.path.join(folder, "golden.raw")
    build.save(system, "raw", path)
    status, text, _ = run.stasis(binary, "threads", path, "--format", "json")
    diff = run.Differences(f"{os.path.basename(case)}, {what}")
    answer = run.json.loads(text)
    facts = answer["system"]
    at = system.labels.at
    diff.check("exit status", recipe["exit_status"], status)
    diff.check("form", form, facts["kdbg_form"])
    diff.check("block", at["KdDebuggerDataBlock"] if form else None, run.number(facts["kdbg"]))
    diff.check("PsActiveProcessHead", at["PsActiveProcessHead"], run.number(facts["process_head"]))
    diff.check("PsLoadedModuleList", at["PsLoadedModuleList"], run.number(facts["module_head"]))
    diff.check("processors", system.cpus, facts["processors"])
    if guid and form:
        diff.check("evidence", "sizes in the debugger block", facts["layout_evidence"])
    _, threads = run.expected(system.truth, recipe)
    run.by_object(diff, "thread", [t["facts"] for t in threads], answer["threads"])
    return diff.show()


def known(case):
    """Does the image carry its PDB's symbols?"""
    recipe = build.load_recipe(case)["system"]
    return recipe.get("symbols", True) and bool(build.load_places(recipe["places"]).get("rva"))


def check_case(binary, case, folder):
    good = True
    if known(case):
        good &= check(binary, case, folder, "with symbols", SYMBOLS)
        good &= check(binary, case, folder, "a wrong key", SOLVED, broken=("KiWaitNever", 3, 0x10))
        good &= check(binary, case, folder, "a wrong rotation", SOLVED, broken=("KiWaitNever", 0, 0x01))
    good &= check(binary, case, folder, "without symbols", SOLVED, symbols=False, guid=OTHER_GUID)
    good &= check(binary, case, folder, "a broken tag", None, broken=("KdDebuggerDataBlock", 0x10, 0x04))
    return good


def main(argv):
    good = True
    with tempfile.TemporaryDirectory() as folder:
        for case in build.cases():
            if build.load_recipe(case)["system"].get("kdbg") == "encoded":
                ok = check_case(os.path.abspath(argv[1]), case, folder)
                print(f"{'ok  ' if ok else 'FAIL'} {os.path.basename(case)}")
                good &= ok
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
