#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads golden images back with a walker of its own, without any of the builder's modules but its recipe reader.

    selftest.py [CASE_DIR ...]

For each format: every frame equals the raw image's where the file holds it; the kernel's base translates to a PE; the
process list, walked from PsActiveProcessHead's label, gives the truth's processes; the thread lists give its threads;
selftest_objects.py looks at headers, types, ids and handles, selftest_waits.py at wait blocks and owners.
"""
import json
import os
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
SHAPES = {"x86": (4, [(22, 10), (12, 10)]), "pae": (8, [(30, 2), (21, 9), (12, 9)]),
          "x64": (8, [(39, 9), (30, 9), (21, 9), (12, 9)]), "la57": (8, [(48, 9), (39, 9), (30, 9), (21, 9), (12, 9)])}


def runs_of(data):
    """[(pa, length, offset)] of a raw, ELF, LiME or dump file."""
    if data[:4] == b"\x7fELF":
        return elf_runs(data)
    if data[:4] == b"PAGE":
        return dump_runs(data)
    if data[:4] == b"EMiL":
        return lime_runs(data)
    return [(0, len(data), 0)]


def elf_runs(data):
    wide = data[4] == 2
    phoff, = struct.unpack_from("<Q" if wide else "<I", data, 0x20 if wide else 0x1C)
    size, count = struct.unpack_from("<HH", data, 0x36 if wide else 0x2A)
    out = []
    for i in range(count):
        at = phoff + i * size
        kind, = struct.unpack_from("<I", data, at)
        offset, pa, length = ((*struct.unpack_from("<Q", data, at + 8), *struct.unpack_from("<QQ", data, at + 24))
                              if wide else
                              (*struct.unpack_from("<I", data, at + 4), *struct.unpack_from("<II", data, at + 12)))
        if kind == 1:
            out.append((pa, length, offset))
    return out


def lime_runs(data):
    out, at = [], 0
    while at < len(data):
        magic, version, first, last, _ = struct.unpack_from("<4sIQQQ", data, at)
        assert (magic, version) == (b"EMiL", 1), f"no header at {at:#x}"
        out.append((first, last + 1 - first, at + 32))
        at += 32 + last + 1 - first
    assert at == len(data), "the last range is cut"
    return out


def dump_runs(data):
    wide = data[4:8] == b"DU64"
    kind, = struct.unpack_from("<I", data, 0xF98 if wide else 0xF88)
    head = 0x2000 if wide else 0x1000
    out, at = [], head
    if kind in (1, 0x45474150):
        count, = struct.unpack_from("<I", data, 0x88 if wide else 0x64)
        for i in range(count):
            base, pages = struct.unpack_from("<QQ" if wide else "<II", data, 0x98 + 16 * i if wide else 0x6C + 8 * i)
            out.append((base << 12, pages << 12, at))
            at += pages << 12
        return out
    if kind >= 8:
        return range_runs(data, head)
    if kind == 2 and data[head + 8] == 1:  # the older form
        first, bits, present = struct.unpack_from("<III", data, head + 0xC)
        bitmap = head + (0x28 if wide else 0x20)
    else:
        first, present, bits = struct.unpack_from("<QQQ", data, head + 0x20)
        bitmap = head + 0x38
    for pfn in range(bits):
        if data[bitmap + pfn // 8] >> pfn % 8 & 1:
            out.append((pfn << 12, 4096, first))
            first += 4096
            present -= 1
    assert present == 0, "the bitmap and its count disagree"
    return out


def range_runs(data, head):
    out = []
    offset, = struct.unpack_from("<Q", data, head + 0x18)
    for at in range(head + 0x30, offset, 16):
        base, pages = struct.unpack_from("<QQ", data, at)
        if base == 0:
            break
        out.append((base << 12, pages << 12, offset))
        offset += pages << 12
    return out


class Image:
    def __init__(self, path, places):
        with open(path, "rb") as f:
            self.data = f.read()
        self.pages = {}
        for pa, length, offset in runs_of(self.data):
            for i in range(0, length, 4096):
                self.pages[(pa + i) >> 12] = offset + i
        self.places = places
        self.pointer = places["pointer_size"]

    def physical(self, pa, length):
        offset = self.pages[pa >> 12] + (pa & 4095)
        return self.data[offset:offset + length]

    def translate(self, mode, root, va):
        size, levels = SHAPES[mode]
        table = root & ~0x1F if mode == "pae" else root & 0x000FFFFFFFFFF000
        for depth, (shift, bits) in enumerate(levels):
            entry = int.from_bytes(self.physical(table + (va >> shift & (1 << bits) - 1) * size, size), "little")
            if entry & 0xC01 == 0x800 and depth == len(levels) - 1:  # in transition; the mask is above all memory
                return entry & 0xFFFFFFF000 | va & 0xFFF
            if not entry & 1:
                return None
            frame = entry & 0x000FFFFFFFFFF000
            last = depth == len(levels) - 1 or (entry & 0x80 and not (mode == "pae" and depth == 0))
            if last:
                return frame & -(1 << shift) | va & (1 << shift) - 1
            table = frame
        raise AssertionError

    def read(self, space, va, length):
        out = b""
        while length:
            part = min(length, 4096 - va % 4096)
            out += self.physical(self.translate(*space, va), part)
            va, length = va + part, length - part
        return out

    def number(self, space, va, size=None):
        return int.from_bytes(self.read(space, va, size or self.pointer), "little")

    def member(self, struct_name, name):
        return self.places["structs"][struct_name]["members"].get(name, [None])[0]

    def walk(self, space, head, link):
        """Forwards as far as it goes, then backwards from the other end."""
        seen = []
        for direction in (0, self.pointer):
            try:
                at = self.number(space, head + direction)
                while at != head and at - link not in seen and len(seen) < 10000:
                    self.number(space, at)
                    seen.append(at - link)
                    at = self.number(space, at + direction)
            except (KeyError, TypeError):
                continue
        return seen


def check(image, truth, labels):
    system = truth["system"]
    space = (system["mode"], int(system["root"], 16))
    assert image.read(space, int(system["kernel_base"], 16), 2) == b"MZ", "no PE at the kernel's base"
    found = image.walk(space, labels["PsActiveProcessHead"], image.member("_EPROCESS", "ActiveProcessLinks"))
    told = {int(p["object"], 16): p for p in truth["processes"]}
    assert set(found) | {labels["KiInitialProcess"]} == set(told), "other processes than the truth's"
    threads = set()
    for process in told:
        head = process + image.member("_KPROCESS", "ThreadListHead")
        link = image.member("_KTHREAD", "ThreadListEntry")
        threads |= {t for t in image.walk(space, head, link)}
        own = (system["mode"], int(told[process]["directory_table_base"], 16))
        assert image.translate(*own, int(system["kernel_base"], 16)), "the kernel is not in a process's tables"
    want = {int(t["facts"]["object"], 16) for t in truth["threads"] if "kprocess-list" in t["ways"]}
    assert threads == want, f"other threads than the truth's: {threads ^ want}"
    for thread in truth["threads"]:
        taken = {(p["pid"], p["va"]) for p in truth["pages"] if p["verdict"] != "transition"}
        if (thread["facts"]["pid"], int(thread["facts"].get("teb") or "0", 16)) not in taken:
            check_thread(image, space, told, thread["facts"], thread.get("compressed", []))


def check_thread(image, space, processes, facts, compressed):
    va = int(facts["object"], 16)
    assert image.number(space, va, 1) == 6
    if facts["tid"] is None:
        return
    assert image.number(space, va + image.member("_ETHREAD", "Cid.UniqueThread")) == facts["tid"]
    teb = facts.get("teb")
    if not teb:
        return
    own = (space[0], int(processes[int(facts["process_object"], 16)]["directory_table_base"], 16))
    at = image.translate(*own, int(teb, 16))
    there = facts.get("teb_tid", 0) is not None and "teb" not in compressed
    assert bool(at) == there, "a TEB that should or should not be there"
    if at:
        assert image.number(own, int(teb, 16) + image.member("_TEB", "ClientId.UniqueThread")) == facts["tid"]


def run(case, folder):
    import build
    import formats
    import selftest_objects
    import selftest_waits
    recipe = build.load_recipe(case)
    places = build.load_places(recipe["system"]["places"])
    system = build.build(recipe)
    truth = json.loads(build.truth_text(system.truth))
    raw = None
    for name in recipe["formats"]:
        path = os.path.join(folder, name)
        formats.write(system, name, path)
        image = Image(path, places)
        check(image, truth, system.labels.at)
        if not raw:
            raw = image
            selftest_objects.check(image, truth, system.labels.at, system.build)
            selftest_waits.check(image, truth)
        for pfn, offset in image.pages.items():
            if pfn not in system.hidden:
                same = image.data[offset:offset + 4096] == raw.physical(pfn << 12, 4096)
                assert same, f"{name}: frame {pfn:#x} differs"
        os.unlink(path)
    counts = f"{len(truth['processes'])} processes, {len(truth['threads'])} threads"
    print(f"{os.path.basename(os.path.abspath(case))}: {counts}, {', '.join(recipe['formats'])}", flush=True)


def main(argv):
    import build
    for case in argv[1:] or build.cases():
        with tempfile.TemporaryDirectory() as folder:
            run(case, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
