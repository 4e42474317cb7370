# SPDX-License-Identifier: MIT
"""
Real images for tests: in $STASIS_IMAGES, else in ../shared/images beside the tree. What is packed there (.xz) is
unpacked once into a cache folder, and the raw form of an ELF is laid out there.
"""
import lzma
import os
import re
import shutil
import struct
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = 77  # what meson calls a skipped test


def lay_out(elf_path, to):
    """The PT_LOADs of an ELF64 core at their physical addresses; holes stay holes; no devices (near 4 GiB)."""
    with open(elf_path, "rb") as elf:
        head = elf.read(64)
        table, = struct.unpack_from("<Q", head, 32)
        size_of_one, count = struct.unpack_from("<HH", head, 54)
        for i in range(count):
            elf.seek(table + i * size_of_one)
            kind, _, offset, _, address, size = struct.unpack_from("<IIQQQQ", elf.read(56))
            if kind == 1 and address < 0xFC000000:
                elf.seek(offset)
                to.seek(address)
                to.write(elf.read(size))


def vmcore(elf, path):
    """QEMU's core of a machine as Linux' /proc/vmcore would have it, with the virtual addresses that peers want."""
    with open(elf, "rb") as file, open(path, "wb") as to:
        head = file.read(65536)
        table, = struct.unpack_from("<Q", head, 32)
        rows = [struct.unpack_from("<IIQQQQQQ", head, table + 56 * i) for i in range(head[56])]
        note, ram = (next(row for row in rows if row[0] == kind and row[4] == 0) for kind in (4, 1))
        notes = head[note[2]:note[2] + note[5]]
        stext = int(re.search(rb"SYMBOL\(_stext\)=(\w+)", notes)[1], 16)
        text = stext - 0xFFFFFFFF80000000 + int(re.search(rb"phys_base\)=(-?\d+)", notes)[1])
        start = (4096 + len(notes) + 4095) & ~4095
        loads = [(4, 0, 4096, 0, 0, len(notes), len(notes), 0),
                 (1, 7, start + text, stext, text, 40 << 20, 40 << 20, 0),
                 (1, 7, start, 0xFFFF888000000000, 0, ram[5], ram[5], 0)]
        to.write(struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 4, 62, 1, 0, 64, 0, 0, 64, 56, 3, 0, 0, 0))
        to.write(b"".join(struct.pack("<IIQQQQQQ", *load) for load in loads))
        to.seek(4096)
        to.write(notes)
        to.seek(start)
        file.seek(ram[2])
        for _ in range(ram[5] >> 20):
            to.write(file.read(1 << 20))


def find(cache, name):
    """The path of an image by its name (FOLDER/FILE), unpacked; None where there is none."""
    for folder in (os.environ.get("STASIS_IMAGES") or os.path.join(os.path.dirname(ROOT), "shared", "images"), cache):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
        elf = find(cache, name[:-4] + ".elf") if name.endswith(".raw") else None
        if not elf and not os.path.exists(path + ".xz"):
            continue
        kept = os.path.join(cache, name)
        if not os.path.exists(kept):
            os.makedirs(os.path.dirname(kept), exist_ok=True)
            with open(f"{kept}.{os.getpid()}", "wb") as part:  # another test may be unpacking it too
                if elf:
                    lay_out(elf, part)
                else:
                    with lzma.open(path + ".xz") as packed:
                        shutil.copyfileobj(packed, part, 1 << 20)
            os.replace(f"{kept}.{os.getpid()}", kept)
        return kept
    return None


def need(cache, *names):
    """Paths of these images; ends the test as skipped, saying why, where one is not there."""
    paths = [find(cache, name) for name in names]
    for name, path in zip(names, paths):
        if not path:
            print(f"no real image {name}: set STASIS_IMAGES to the folder that holds them, or have ../shared/images")
            sys.exit(SKIPPED)
    return paths
