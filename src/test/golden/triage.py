#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Triage dumps of the golden systems: a writer, and the check that the command finds in them what the recipe says.

    triage.py STASIS           every golden system from XP on, stopped in a thread of its last busy processor
    triage.py --write CASE OUT

Each fact that the command tells of that thread must be the recipe's; those that lie in the thread object must be told.
"""
import json
import os
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
import build  # noqa: E402
import formats  # noqa: E402
import run  # noqa: E402

OLDEST = 2600  # of earlier systems only a part is known
TOLD = ["tid", "pid", "state", "priority", "stack_base", "stack_limit", "initial_stack", "kernel_stack"]
STACK = 0x60  # bytes of it that are kept
WORDS = ["size_of_dump", "valid", "context", "exception", "mm", "unloaded", "prcb", "process", "thread", "stack",
         "stack_len", "drivers", "driver_count", "strings", "strings_len", "broken"]  # from 4 on, 4 bytes each


def cases():
    """Those in which some thread runs: a triage dump is made of one that did."""
    for path in build.cases():
        recipe = build.load_recipe(path)
        if "everyone" in recipe["casts"] and int(recipe["system"]["version"].split(".")[2]) >= OLDEST:
            yield os.path.basename(path)


class File:
    def __init__(self, header):
        self.data = bytearray(header)

    def add(self, data, align=8):
        self.data += bytes(-len(self.data) % align)
        at = len(self.data)
        self.data += data
        return at


def memory(system, va, length, space=None):
    """What stands there; zeros for a page that is not mapped; what only a dump has in place of what memory has."""
    out = bytearray()
    for at in range(va, va + length):
        pfn = (space or system.kernel).frame(at)
        if pfn is None:
            out.append(0)
        elif pfn in system.hidden:
            out.append(system.hidden[pfn][at % 4096])
        else:
            out += system.phys.read(pfn * 4096 + at % 4096, 1)
    return bytes(out)


def stopped(system):
    """The last processor that was busy, its thread, and the process whose address space that was in."""
    prcb = [p for p in system.prcb if p.get("CurrentThread") != p.get("IdleThread")][-1]
    system.stopped = system.prcb.index(prcb)
    va = prcb.get("CurrentThread")
    thread = system.object(va, "_ETHREAD", "_KTHREAD")
    return prcb.va, va, thread.get("ApcState.Process") or thread.get("Process")


def driver_rows(system, out):
    """Names into the file, then the rows that point to them."""
    wide, rows = system.pointer == 8, b""
    strings = out.add(b"")
    for module in system.truth["modules"]:
        name = out.add(struct.pack("<I", len(module["path"])) + (module["path"] + "\0").encode("utf-16-le"), 4)
        base, size = int(module["base"], 0), module["size"]
        row = bytearray(0x90 if wide else 0x4C)
        struct.pack_into("<I", row, 0, name)
        struct.pack_into("<QQI" if wide else "<III", row, 0x38 if wide else 0x1C, base, base + 0x1000, size)
        struct.pack_into("<I", row, 0x88 if wide else 0x48, 0x11223344)
        rows += row
    return strings, len(out.data) - strings, out.add(rows)


def write(system, path):
    wide = system.pointer == 8
    prcb, thread, process = stopped(system)
    head = (formats._header64 if wide else formats._header32)(system, 4, [], 0)
    at = len(head)
    out = File(head + bytes(0x80 if wide else 0x68))
    sizes = {name: system.struct_size(name) for name in ("_KPRCB", "_EPROCESS", "_ETHREAD")}
    base = system.object(thread, "_ETHREAD", "_KTHREAD").get("StackBase") or system.object(
        thread, "_ETHREAD", "_KTHREAD").get("InitialStack")
    word = {"context": 0x348 if wide else 0x320, "exception": 0xF00 if wide else 0x7D0}
    word["prcb"] = out.add(memory(system, prcb, sizes["_KPRCB"]))
    word["process"] = out.add(memory(system, process, sizes["_EPROCESS"]))
    word["thread"] = out.add(memory(system, thread, sizes["_ETHREAD"]))
    word["stack"] = out.add(memory(system, base - STACK, STACK))
    word["stack_len"] = STACK
    block = system.labels.at["KdDebuggerDataBlock"]
    kdbg = memory(system, block, system.recipe["kdbg_size"])
    kdbg_at = out.add(kdbg)
    word["strings"], word["strings_len"], word["drivers"] = driver_rows(system, out)
    word["driver_count"] = len(system.truth["modules"])
    pieces = [(system.base, 0x400)]
    if system.build > 2600:  # XP writes no data blocks
        array = struct.unpack_from("<Q", kdbg, 0x218)[0] & (1 << 8 * system.pointer) - 1
        pieces += [(array, system.cpus * system.pointer)] + [(p.va, sizes["_KPRCB"]) for p in system.prcb]
    else:
        pieces = []
    blocks = [(va, out.add(memory(system, va, length)), length) for va, length in pieces]
    teb = system.object(thread, "_ETHREAD", "_KTHREAD").get("Teb")
    if blocks and teb:  # one of a user's, so that the process's own memory is asked too
        space = next(p.space for p in system.processes if p.object.va == process)
        blocks.append((teb, out.add(memory(system, teb, 0x40, space)), 0x40))
    row = "<QII" if wide else "<III"
    blocks_at = out.add(b"".join(struct.pack(row, *each) for each in blocks))
    word["valid"] = out.add(b"TRGD", 4)
    word["size_of_dump"] = len(out.data)
    struct.pack_into("<16I", out.data, at + 4, *(word.get(name, 0) for name in WORDS))
    struct.pack_into("<I", out.data, at + 0x44, 0xFFFFFFFF)
    struct.pack_into("<Q" if wide else "<I", out.data, at + 0x48, base - STACK)
    struct.pack_into("<4I", out.data, at + (0x70 if wide else 0x58), kdbg_at, len(kdbg), blocks_at, len(blocks))
    with open(path, "wb") as f:
        f.write(out.data)
    return thread


def check_thread(diff, system, object_va, answer):
    truth = next(t for t in system.truth["threads"] if run.number(t["facts"]["object"]) == object_va)["facts"]
    diff.check("threads", [hex(object_va)], [t["object"] for t in answer["threads"]])
    if not answer["threads"]:
        return
    got = answer["threads"][0]
    if truth.get("teb_stack_base") and got["teb_stack_base"] is None and system.build > 2600:
        diff.add(f"teb_stack_base is not told ({got['absent'].get('teb_stack_base')})")
    for key in TOLD:
        if truth.get(key) is not None and got[key] is None:
            diff.add(f"{key} is not told ({got['absent'].get(key)})")
    for key, want in truth.items():
        if got.get(key) is None or key in ("object_pa", "sources"):
            continue
        if key.endswith("_registers"):
            run.check_registers(diff, key, want, got[key])
        elif key.endswith("stack") and isinstance(want, list):
            check_guesses(diff, key, want, got[key])
        elif not run.same(want, got[key]):
            diff.add(f"{key}: want {want}, got {got[key]}")


def check_guesses(diff, key, want, got):
    """Without code and unwind data only the first frame is proved; the others are words, the true ones among them."""
    diff.check(f"{key}: pc of the first frame", want[0]["pc"], got[0]["pc"])
    diff.check(f"{key}: trust", ["proved"] + ["guess"] * (len(got) - 1), [frame["trust"] for frame in got])
    told = {frame["pc"] for frame in got}
    missing = [frame["symbol"] for frame in want[:3] if frame["pc"] not in told]
    if missing and len(got) > 1:  # else the dump has no word of what it stood on
        diff.add(f"{key}: {missing} are not among {len(got)} frames")


def check_refused(diff, stasis, system, path, object_va):
    """A thread whose stack cannot be is believed under no layout."""
    with open(path, "rb") as f:
        data = bytearray(f.read())
    thread = system.object(object_va, "_ETHREAD", "_KTHREAD")
    if not thread.has("StackBase"):
        return
    at = struct.unpack_from("<I", data, (0x2000 if system.pointer == 8 else 0x1000) + 0x24)[0]
    data[at + 0x10:at + 0x60] = bytes(0x50)  # where every version has them
    with open(path, "wb") as f:
        f.write(data)
    status, _, errors = run.stasis(stasis, "threads", path)
    diff.check("exit status of a thread without a stack", 2, status)
    if "no layout fits the thread in it" not in errors:
        diff.add(errors.strip())


def check(stasis, case, folder):
    system = build.build(build.load_recipe(os.path.join(build.DATA, case)))
    path = os.path.join(folder, case + ".dmp")
    object_va = write(system, path)
    diff = run.Differences(os.path.basename(path))
    status, text, errors = run.stasis(stasis, "threads", path, "--format", "json")
    diff.check("exit status", 3, status)
    if errors or not text:
        diff.add(errors.strip())
        return diff.show()
    answer = json.loads(text)
    check_thread(diff, system, object_va, answer)
    codes = {n["code"] for n in answer["notes"] if n["severity"] == "missing"}
    diff.check("notes", {"triage-dump"} | ({"no-processor"} if system.build <= 2600 else set()), codes)
    run.check_modules(diff, stasis, path, system.truth)
    check_refused(diff, stasis, system, path, object_va)
    return diff.show()


def main(argv):
    if argv[0] == "--write":
        write(build.build(build.load_recipe(os.path.join(build.DATA, argv[1]))), argv[2])
        return 0
    with tempfile.TemporaryDirectory() as folder:
        good = [check(os.path.abspath(argv[0]), case, folder) for case in cases()]
    print(f"{sum(good)} of {len(good)} triage dumps as they should be")
    return not all(good)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
