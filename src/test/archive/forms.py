# SPDX-License-Identifier: MIT
"""Raw physical memory from address 0, written in the other formats; each byte's place is told by docs/formats."""
import struct
import zlib

PAGE = 4096


def lime(memory):
    """Two ranges, as a machine with a hole has them."""
    half = len(memory) // 2
    out = b""
    for start, end in ((0, half), (half, len(memory))):
        out += struct.pack("<IIQQ8x", 0x4C694D45, 1, start, end - 1) + memory[start:end]
    return out


def elf(memory, wide=True):
    """A core with one PT_LOAD; ELFCLASS64, or 32."""
    if wide:
        header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 4, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        load = struct.pack("<IIQQQQQQ", 1, 7, PAGE, 0, 0, len(memory), len(memory), PAGE)
    else:
        header = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01", 4, 3, 1, 0, 52, 0, 0, 52, 32, 1, 0, 0, 0)
        load = struct.pack("<IIIIIIII", 1, PAGE, 0, 0, len(memory), len(memory), 7, PAGE)
    return (header + load).ljust(PAGE, b"\0") + memory


def kdump(memory):
    """Version 6, every page there, zlib where that is shorter; a note of registers tells that it is x64."""
    pages = len(memory) // PAGE
    head = bytearray(4 * PAGE)

    def put(at, form, *values):
        struct.pack_into("<" + form, head, at, *values)

    put(0, "8sI", b"KDUMP   ", 6)
    head[12:17] = b"Linux"
    head[272:278] = b"x86_64"
    put(428, "IIII", PAGE, 1, 2, pages)
    put(460, "I", 1)
    put(0x1060, "Q", pages)
    put(0x1030, "QQ", 0x1080, 12 + 8 + 336)
    put(0x1080, "III8s", 5, 336, 1, b"CORE")
    for bitmap in (2 * PAGE, 3 * PAGE):
        head[bitmap:bitmap + pages // 8] = b"\xff" * (pages // 8)
    descriptors, data, at = b"", b"", 4 * PAGE + 24 * pages
    for number in range(pages):
        page = memory[number * PAGE:(number + 1) * PAGE]
        packed = zlib.compress(page, 1)
        stored, flags = (packed, 1) if len(packed) < PAGE else (page, 0)
        descriptors += struct.pack("<QIIQ", at + len(data), len(stored), flags, 0)
        data += stored
    return bytes(head) + descriptors + data
