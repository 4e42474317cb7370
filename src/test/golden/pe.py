# SPDX-License-Identifier: MIT
"""Small PE images as they lie in memory: headers, exports, a CodeView record, a version resource.

Microsoft, "PE Format"; the RSDS record as debuggers describe it. build() returns {rva: bytes}: only what has content.
"""
import struct
import uuid

import modules

MACHINES = {4: 0x14C, 8: 0x8664}
CODE, INITIALISED, EXECUTE, READ, WRITE, DISCARD = 0x20, 0x40, 0x20000000, 0x40000000, 0x80000000, 0x02000000
TEXT_FLAGS = CODE | EXECUTE | READ
DATA_FLAGS = INITIALISED | READ | WRITE
CONST_FLAGS = INITIALISED | READ


def guid_bytes(text):
    """32 hex digits as they stand in a symbol server path."""
    return uuid.UUID(text).bytes_le


def rsds(guid, age, name):
    return b"RSDS" + guid_bytes(guid) + struct.pack("<I", age) + name.encode() + b"\0"


def debug_directory(timestamp, rva, record):
    """One CodeView entry, its record 32 bytes behind."""
    return struct.pack("<IIHHIIII", 0, timestamp, 0, 0, 2, len(record), rva + 0x20, rva + 0x20) + bytes(4) + record


def exports(rva, dll, table):
    """An export directory: table maps names to RVAs; names sorted, as the loader's binary search wants them."""
    names = sorted(table)
    count = len(names)
    functions, name_table, ordinals = rva + 40, rva + 40 + 4 * count, rva + 40 + 8 * count
    text_at = ordinals + 2 * count
    text, at = dll.encode() + b"\0", []
    for name in names:
        at.append(text_at + len(text))
        text += name.encode() + b"\0"
    head = struct.pack("<IIHHIIIIIII", 0, 0, 0, 0, text_at, 1, count, count, functions, name_table, ordinals)
    body = struct.pack(f"<{count}I", *(table[n] for n in names)) + struct.pack(f"<{count}I", *at)
    return head + body + struct.pack(f"<{count}H", *range(count)) + text


def version_info(version):
    """VS_VERSIONINFO with nothing but its VS_FIXEDFILEINFO."""
    a, b, c, d = version
    fixed = struct.pack("<13I", 0xFEEF04BD, 0x10000, a << 16 | b, c << 16 | d, a << 16 | b, c << 16 | d, 0x3F, 0,
                        0x40004,
                        3, 7, 0, 0)
    key = "VS_VERSION_INFO\0".encode("utf-16-le")
    head = 6 + len(key)
    pad = -head % 4
    return struct.pack("<HHH", head + pad + len(fixed), len(fixed), 0) + key + bytes(pad) + fixed


def resources(rva, version):
    """Type 16 (version) / name 1 / language 0x409 / data."""
    data = version_info(version)

    def directory(ident, offset):
        return struct.pack("<IIHHHHII", 0, 0, 0, 0, 0, 1, ident, offset)
    at = 3 * 24
    return (directory(16, 24 | 0x80000000) + directory(1, 48 | 0x80000000) + directory(0x409, at)
            + struct.pack("<IIII", rva + at + 16, len(data), 0, 0) + data)


def build(pointer, size, timestamp, sections, checksum=0, entry=0x1000, os_version=(5, 1), base=0, directories=None,
          dll=False):
    """The headers. sections: [(name, rva, virtual size, flags)]; directories: {index: (rva, size)}."""
    wide = pointer == 8
    directories = directories or {}
    optional = struct.pack("<HBBIIIII", 0x20B if wide else 0x10B, 9, 0, sections[0][2], 0, 0, entry, sections[0][1])
    if wide:
        optional += struct.pack("<Q", base & (1 << 64) - 1)
    else:
        optional += struct.pack("<II", sections[-1][1], base & 0xFFFFFFFF)
    optional += struct.pack("<IIHHHHHHIIIIHH", 0x1000, 0x200, *os_version, *os_version, *os_version, 0, size, 0x400,
                            checksum,
                            1, 0)
    optional += struct.pack("<QQQQ" if wide else "<IIII", 0x40000, 0x1000, 0x100000, 0x1000) + struct.pack("<II", 0, 16)
    for i in range(16):
        optional += struct.pack("<II", *directories.get(i, (0, 0)))
    characteristics = 0x22 if wide else 0x102
    coff = struct.pack("<HHIIIHH", MACHINES[pointer], len(sections), timestamp, 0, 0, len(optional),
                       characteristics | (0x2000 if dll else 0))
    table = b""
    for name, rva, length, flags in sections:
        table += struct.pack("<8sIIIIIIHHI", name.encode(), length, rva, (length + 511) & ~511, rva, 0, 0, 0, 0, flags)
    dos = b"MZ" + bytes(58) + struct.pack("<I", 0x80)
    head = dos.ljust(0x80, b"\0") + b"PE\0\0" + coff + optional + table
    return head.ljust(0x400, b"\0")


def small(pointer, size, timestamp, name, base, version, pdb=None, exported=None, os_version=(5, 1), code=None):
    """A whole small module: {rva: bytes}. code: functions and their tables (modules.py), all of them exported."""
    chunks, directories = {}, {}
    sections = [(".text", 0x1000, 0x1000, TEXT_FLAGS), (".rdata", 0x2000, 0x1000, CONST_FLAGS),
                (".data", 0x3000, 0x1000, DATA_FLAGS), (".rsrc", 0x4000, 0x1000, CONST_FLAGS)]
    chunks[0x1000] = b"\xcc" * 64
    if code:
        exported = {**(exported or {}), **{f.name: f.rva for f in code.functions.values()}}
        chunks[code.rva] = code.text
    if code and code.pdata:
        chunks[modules.PDATA], chunks[modules.XDATA] = code.pdata, code.xdata
        directories[3] = (modules.PDATA, len(code.pdata))
    if exported:
        chunks[0x2100] = exports(0x2100, name, exported)
        directories[0] = (0x2100, len(chunks[0x2100]))
    if pdb:
        record = rsds(pdb[0], pdb[1], pdb[2])
        chunks[0x2000] = debug_directory(timestamp, 0x2000, record)
        directories[6] = (0x2000, 28)
    chunks[0x4000] = resources(0x4000, version)
    directories[2] = (0x4000, len(chunks[0x4000]))
    chunks[0] = build(pointer, size, timestamp, sections, 0x1234, 0x1000, os_version, base, directories, dll=True)
    return chunks
