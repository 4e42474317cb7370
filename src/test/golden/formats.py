# SPDX-License-Identifier: MIT
"""Writers of one physical memory in every format the readers know. Files are sparse: what is zero is not written.

raw; LiME; ELF as QEMU's dump-guest-memory writes it (CORE/NT_PRSTATUS and QEMU notes per processor, several PT_LOADs);
Windows dumps, 32 and 64 bit: full (1), kernel summary (2, its older form and that of newer systems), bitmap (5, 6, 7),
ranges (8, 9, 10; 64 bit only), and the header of NT 4.0 and 2000, which has no type and no block pointer.
"""
import struct

from objects import SIZES
from synth import PAGE

DUMP_TYPES = {"dmp-full": 1, "dmp-summary": 2, "dmp-summary-new": 2, "dmp-bitmap": 5, "dmp-bitmap-kernel": 6,
              "dmp-bitmap-auto": 7, "dmp-8": 8, "dmp-9": 9, "dmp-10": 10, "dmp-old": 0}
NAMES = ["raw", "elf", "elf64", "lime", *DUMP_TYPES]
BUGCHECK = (0xE2, 0x11, 0x22, 0x33, 0x44)  # MANUALLY_INITIATED_CRASH, with parameters that can be told apart


def every(paging):
    """What today's systems of this kind of paging are kept in."""
    narrow = paging in ("x86", "pae")
    return [name for name in NAMES if name not in ("elf64", "dmp-old") and not (narrow and DUMP_TYPES.get(name, 0) > 7)]


def write(system, name, path):
    with open(path, "wb") as out:
        if name == "raw":
            _raw(system, out)
        elif name == "lime":
            _lime(system, out)
        elif name in ("elf", "elf64"):
            _elf(system, out, system.pointer == 8 or name == "elf64")
        else:
            _dmp(system, out, DUMP_TYPES[name], name == "dmp-summary")


def _held(system):
    """Frames with content that the RAM holds, in order."""
    return [pfn for pfn in sorted(system.phys.pages) if system.phys.holds(pfn)]


def _raw(system, out):
    top = max(start + count for start, count in system.phys.ranges)
    for pfn in _held(system):
        out.seek(pfn * PAGE)
        out.write(system.phys.pages[pfn])
    out.truncate(top * PAGE)


def _lime(system, out):
    """A header before each range: magic, version, first and last address, eight bytes of nothing (LiME's README)."""
    at = 0
    for start, count in _loads(system):
        out.seek(at)
        out.write(struct.pack("<IIQQQ", 0x4C694D45, 1, start * PAGE, (start + count) * PAGE - 1, 0))
        at += 32
        for pfn in range(start, start + count):
            if pfn in system.phys.pages:
                out.seek(at + (pfn - start) * PAGE)
                out.write(system.phys.pages[pfn])
        at += count * PAGE
    out.truncate(at)


# ---------------------------------------------------------------- ELF

def _loads(system):
    """The ranges, the last one cut in three as a machine with a hole has it."""
    loads = list(system.phys.ranges[:-1])
    start, count = system.phys.ranges[-1]
    third = count // 3
    return loads + [(start, third), (start + third, third), (start + 2 * third, count - 2 * third)]


def _registers(system, number):
    """Every register a value of its own; the ones that matter are true."""
    pcr = system.pcr[number].va
    thread = system.prcb[number].get("CurrentThread")
    process = next((p for p in system.processes for t in p.threads if t.object.va == thread), system.processes[0])
    stack = system.object(thread, "_ETHREAD", "_KTHREAD").get("KernelStack")
    regs = {name: 0x1100 + 0x11 * i + number for i, name in enumerate(
        ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"])}
    regs.update(rsp=stack, rip=system.base + 0x1100 + number, rflags=0x246, cr3=process.dtb, pcr=pcr,
                cs=0x10 if system.pointer == 8 else 8, ss=0x18 if system.pointer == 8 else 0x10)
    for name, value in (system.live(number) or {}).items():
        regs["r" + name[1:] if name[0] == "e" else name] = value
    return regs


def _prstatus(system, number):
    r = _registers(system, number)
    if system.pointer == 8:
        order = ["r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx", "rsi", "rdi"]
        regs = [r[n] for n in order] + [r["rax"], r["rip"], r["cs"], r["rflags"], r["rsp"], r["ss"], 0, r["pcr"], 0x2B,
                                        0x2B, 0x53, 0x2B]
        return bytes(32) + struct.pack("<I", number + 1) + bytes(76) + struct.pack("<27Q", *regs) + bytes(8)
    regs = [r[n] for n in ("rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rax")]
    regs += [0x23, 0x23, 0x30, 0, r["rax"], r["rip"], r["cs"], r["rflags"], r["rsp"], r["ss"]]
    packed = struct.pack("<17I", *(v & 0xFFFFFFFF for v in regs))
    return bytes(24) + struct.pack("<I", number + 1) + bytes(44) + packed + bytes(4)


def _qemu_state(system, number):
    r = _registers(system, number)
    wide = system.pointer == 8
    out = struct.pack("<II", 1, 440)
    order = "rax rbx rcx rdx rsi rdi rsp rbp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags".split()
    out += struct.pack("<18Q", *(r[n] for n in order))
    fs, gs = (0, r["pcr"]) if wide else (r["pcr"], 0)
    cs, ds, es, fs_selector, gs_selector, ss, tr = ((r["cs"], 0x2B, 0x2B, 0x53, 0x2B, r["ss"], 0x40) if wide else
                                                    (r["cs"], 0x23, 0x23, 0x30, 0, r["ss"], 0x28))
    pcr = r["pcr"]
    for selector, base in [(cs, 0), (ds, 0), (es, 0), (fs_selector, fs), (gs_selector, gs), (ss, 0), (0, 0),
                           (tr, pcr + 0x800), (0, pcr + 0x400), (0, pcr + 0x600)]:
        out += struct.pack("<IIIIQ", selector, 0xFFFFFFFF, 0, 0, base)
    cr4 = {"x86": 0x6D9, "pae": 0x6F9, "x64": 0x6F8, "la57": 0x16F8}[system.mode]
    out += struct.pack("<5Q", 0x80050031 if wide else 0x8001003B, 0, 0x7FFE0004, r["cr3"], cr4)
    return out + struct.pack("<Q", 0)


def _note(name, kind, data):
    raw = name + b"\0"
    return struct.pack("<III", len(raw), len(data), kind) + raw.ljust(-(-len(raw) // 4) * 4, b"\0") + data.ljust(
        -(-len(data) // 4) * 4, b"\0")


def _elf(system, out, wide):
    """wide: ELFCLASS64, which QEMU also takes for a 32-bit guest with much memory; its notes stay those of 32 bits."""
    notes = b"".join(_note(b"CORE", 1, _prstatus(system, i)) for i in range(system.cpus))
    notes += b"".join(_note(b"QEMU", 0, _qemu_state(system, i)) for i in range(system.cpus))
    loads = _loads(system)
    head_size, row = (64, 56) if wide else (52, 32)
    notes_at = head_size + row * (1 + len(loads))
    at = notes_at + len(notes)  # not aligned, as QEMU leaves it
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    machine = 62 if system.pointer == 8 else 3
    head = struct.pack("<HHIQQQIHHHHHH" if wide else "<HHIIIIIHHHHHH", 4, machine, 1, 0, head_size, 0, 0, head_size,
                       row, 1 + len(loads), 0, 0, 0)
    table = _phdr(wide, 4, notes_at, 0, len(notes))
    pages = system.phys.pages
    for start, count in loads:
        table += _phdr(wide, 1, at, start * PAGE, count * PAGE)
        for pfn in range(start, start + count):
            if pfn in pages:
                out.seek(at + (pfn - start) * PAGE)
                out.write(pages[pfn])
        at += count * PAGE
    out.truncate(at)
    out.seek(0)
    out.write(ident + head + table + notes)


def _phdr(wide, kind, offset, pa, length):
    if wide:
        return struct.pack("<IIQQQQQQ", kind, 0, offset, 0, pa, length, length, 0)
    return struct.pack("<IIIIIIII", kind, offset, 0, pa, length, length, 0, 0)


# ---------------------------------------------------------------- Windows dumps

def _put(header, at, code, *values):
    struct.pack_into("<" + code, header, at, *values)


def _context(system):
    """CONTEXT of the processor that stopped: its places come from the fact tables."""
    r = _registers(system, system.stopped)
    shape = system.places["structs"]["_CONTEXT"]
    out = bytearray(shape["size"])
    wide = system.pointer == 8
    values = {"ContextFlags": 0x10001F if wide else 0x1003F, "EFlags": r["rflags"], "SegCs": r["cs"],
              "SegSs": r["ss"]}
    for name, value in r.items():
        values.update({"E" + name[1:]: value, name.title(): value})
    for name, value in values.items():
        place = shape["members"].get(name)
        if place:
            size = SIZES.get(place[1], system.pointer)
            out[place[0]:place[0] + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
    return out


def _header32(system, kind, runs, body_size):
    h = bytearray(b"PAGE" * 1024)
    h[4:8] = b"DUMP"
    root = system.kernel.root
    _put(h, 0x8, "IIIIIIII", 15, system.build, root, system.labels.at["MmPfnDatabase"],
         system.labels.at["PsLoadedModuleList"],
         system.labels.at["PsActiveProcessHead"], 0x14C, system.cpus)
    _put(h, 0x28, "IIIII", *BUGCHECK)
    h[0x3C:0x5C] = b"golden".ljust(32, b"\0")
    _put(h, 0x64, "II", len(runs), sum(count for _, count in runs))
    for i, run in enumerate(runs):
        _put(h, 0x6C + 8 * i, "II", *run)
    context = _context(system)
    h[0x320:0x320 + len(context)] = context
    _put(h, 0x7D0, "IIIII", 0x80000003, 0, 0, system.base + 0x1100, 0)
    if not kind:
        return h
    h[0x5C] = int(system.mode == "pae")
    _put(h, 0x60, "I", system.labels.at.get("KdDebuggerDataBlock", 0))
    h[0x820:0x8A0] = b"made from a recipe".ljust(128, b"\0")
    _put(h, 0xF88, "IIIIII", kind, 0, 0, system.recipe.get("product_type", 1), 0x110, 0)
    _put(h, 0xFA0, "Q", body_size)
    _put(h, 0xFB8, "QQ", system.ticks * 156250, system.time)
    return h


def _header64(system, kind, runs, body_size):
    h = bytearray(b"PAGE" * 2048)
    h[4:8] = b"DU64"
    _put(h, 0x8, "IIQQQQIII", 15, system.build, system.kernel.root, system.labels.at["MmPfnDatabase"],
         system.labels.at["PsLoadedModuleList"], system.labels.at["PsActiveProcessHead"], 0x8664, system.cpus,
         BUGCHECK[0])
    _put(h, 0x40, "QQQQ", *BUGCHECK[1:])
    h[0x60:0x80] = b"golden".ljust(32, b"\0")
    _put(h, 0x80, "Q", system.labels.at.get("KdDebuggerDataBlock", 0))
    _put(h, 0x88, "IIQ", len(runs), 0, sum(count for _, count in runs))
    for i, run in enumerate(runs):
        _put(h, 0x98 + 16 * i, "QQ", *run)
    context = _context(system)
    h[0x348:0x348 + len(context)] = context
    _put(h, 0xF00, "IIQQI", 0x80000003, 0, 0, system.base + 0x1100, 0)
    _put(h, 0xF98, "I", kind)
    _put(h, 0xFA0, "QQ", body_size, system.time)
    h[0xFB0:0x1030] = b"made from a recipe".ljust(128, b"\0")
    _put(h, 0x1030, "QIIIII", system.ticks * 156250, 0, 0, system.recipe.get("product_type", 1), 0x110, 0)
    return h


def _page(system, pfn):
    return system.hidden.get(pfn) or system.phys.pages.get(pfn)


def _dmp(system, out, kind, old_summary):
    header = _header64 if system.pointer == 8 else _header32
    if kind in (0, 1):
        runs = system.phys.ranges
        at = 0x2000 if system.pointer == 8 else 0x1000
        pages = system.phys.pages
        body = sum(count for _, count in runs) * PAGE
        first = at
        for start, count in runs:
            for pfn in range(start, start + count):
                if pfn in pages:
                    out.seek(at + (pfn - start) * PAGE)
                    out.write(_page(system, pfn))
            at += count * PAGE
        out.truncate(at)
        out.seek(0)
        out.write(header(system, kind, runs, first + body))
        return
    held = [pfn for pfn in sorted(system.phys.taken | set(system.phys.pages)) if system.phys.holds(pfn)]
    first, second = (_summary if old_summary else _bitmap if kind < 8 else _ranges)(system, kind, held)
    out.write(header(system, kind, system.phys.ranges, first + len(held) * PAGE) + second)
    out.seek(first)
    for pfn in held:
        out.write(_page(system, pfn) or bytes(PAGE))


# The second headers: where the first page lies, and the bytes behind the first header. Only frames in use are in these
# dumps, in the order of their numbers.

def _bits(system, held):
    bits = max(start + count for start, count in system.phys.ranges)
    bitmap = bytearray(-(-bits // 8))
    for pfn in held:
        bitmap[pfn // 8] |= 1 << pfn % 8
    return bits, bitmap


def _first(system, behind):
    """The first page lies at the next page behind this many bytes of second header."""
    return -(-((0x2000 if system.pointer == 8 else 0x1000) + behind) // PAGE) * PAGE


def _bitmap(system, kind, held):
    bits, bitmap = _bits(system, held)
    second = bytearray(0x38)
    first = _first(system, len(second) + len(bitmap))
    second[0:8] = b"FDMPDUMP" if kind == 5 else b"SDMPDUMP"
    struct.pack_into("<QQQ", second, 0x20, first, len(held), bits)
    return first, second + bitmap


def _summary(system, _kind, held):
    """The older form: an RTL_BITMAP as it lay in memory, with a pointer that means nothing any more."""
    bits, bitmap = _bits(system, held)
    second = bytearray(0x28 if system.pointer == 8 else 0x20)
    first = _first(system, len(second) + len(bitmap))
    struct.pack_into("<8sIIIIII", second, 0, b"SDMPDUMP", 1, first, bits, len(held), bits, 0xBADF00D)
    return first, second + bitmap


def _ranges(system, kind, held):
    """What the newer debugger writes: ranges of frames, ended by a zero one where there is room."""
    if held[0] == 0:
        raise ValueError("a list of ranges cannot have frame 0")
    ranges = []
    for pfn in held:
        if ranges and sum(ranges[-1]) == pfn:
            ranges[-1][1] += 1
        else:
            ranges.append([pfn, 1])
    table = b"".join(struct.pack("<QQ", *r) for r in ranges) + bytes(16)
    first = 0x2030 + len(table)  # not aligned
    counts = (len(ranges), len(held)) if kind == 10 else (0, 0)
    return first, struct.pack("<I8sIQQQQ", 0x40, b"RDMPDUMP", 0, first - 0x2020, first, *counts) + table
