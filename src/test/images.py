# SPDX-License-Identifier: MIT
"""
Real images for tests: in $STASIS_IMAGES, else in ../shared/images beside the tree. What is packed there (.xz) is
unpacked once into a cache folder, and the raw form of an ELF is laid out there.
"""
import lzma
import os
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
