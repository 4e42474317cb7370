# SPDX-License-Identifier: MIT
"""The compressed store: pages that a recipe names leave their process and go, packed, into MemCompression.

Structures and places: testdata/golden/places/store.toml, after FireEye's plugins and MemProcFS
(docs/COMPRESSED-STORE.md).
Xpress is packed as [MS-XCA] 2.3 tells, LZ4 as lz4_Block_format.md does. Knows nothing of the decoder.

A recipe says `store = { pagefile = 2 }` under [system], has a process named MemCompression, and names pages:
a thread's `compressed = { teb = HOW, teb2 = HOW }` (the two pages of its TEB), a process's `compressed = { peb = HOW,
heap = HOW }` (its PEB; the first page with its loader lists). HOW is one of

    packed   compressed, as most are
    raw      stored as it is
    moved    its record names the one that holds it
    trimmed  the page with its compressed bytes left MemCompression's working set, and is still there (transition)
    unknown  the store manager's tree does not know it
    torn     the leaf of the store's tree that should hold it is out of order
    lost     the page with its compressed bytes is in no image
    bad      its compressed bytes cannot be unpacked
"""
import collections
import os
import random
import struct
import tomllib

from synth import PAGE

HERE = os.path.dirname(os.path.abspath(__file__))
PLACES = os.path.join(HERE, "..", "..", "..", "testdata", "golden", "places", "store.toml")
WHOLE = ("packed", "raw", "moved", "trimmed")
OWNER = "MemCompression"
TEB_KEYS = {"teb": ("teb_tid", "teb_pid", "teb_stack_base", "teb_stack_limit", "teb_exception_list", "last_error",
                    "peb"),
            "teb2": ("last_status",)}
LEAF, INNER = 5, 3                # entries a node: far fewer than fit, so that the trees have levels
PER_CHUNK, RECORD, HEADER = 8, 0x18, 0x20
REGION = 0x20000
INDEX = 21                        # of the store
FILLERS = 60                      # pages of nobody


# ---------------------------------------------------------------- packing

def matches(data, at, table, limit, least):
    """The longest match for what begins at `at` among the last places with the same three bytes: (length, distance)."""
    best = (0, 0)
    for before in table.get(data[at:at + 3], [])[-16:]:
        if at - before > limit:
            continue
        length = 0
        while at + length < len(data) and data[before + length] == data[at + length]:
            length += 1
        if length > best[0]:
            best = (length, at - before)
    return best if best[0] >= least else (0, 0)


def tokens(data, limit, least, last=0):
    """Literals (length 0, byte) and matches (length, distance), in order; the last bytes are literals."""
    table, at = {}, 0
    while at < len(data):
        length, distance = matches(data, at, table, limit, least) if at < len(data) - last else (0, 0)
        length = min(length, len(data) - last - at)
        if length < least:
            length, distance = 0, 0
        yield (length, distance) if length else (0, data[at])
        for i in range(at, at + max(length, 1)):
            table.setdefault(data[i:i + 3], []).append(i)
        at += max(length, 1)


def pack_xpress(data):
    out, flags, flags_at, half = bytearray(4), [], 0, None
    for length, value in tokens(data, 8192, 3):
        if len(flags) == 32:
            struct.pack_into("<I", out, flags_at, int("".join(map(str, flags)), 2))
            flags, flags_at = [], len(out)
            out += bytes(4)
        flags.append(1 if length else 0)
        if not length:
            out.append(value)
            continue
        rest = length - 3
        out += struct.pack("<H", (value - 1) << 3 | min(rest, 7))
        if rest < 7:
            continue
        nibble = min(rest - 7, 15)
        if half is None:
            half = len(out)
            out.append(nibble)
        else:
            out[half] |= nibble << 4
            half = None
        if nibble == 15:
            out.append(min(rest - 22, 255))
            if rest - 22 >= 255:
                out += struct.pack("<H", rest)
    flags += [1] * (32 - len(flags))
    struct.pack_into("<I", out, flags_at, int("".join(map(str, flags)), 2))
    return bytes(out)


def lz4_number(value):
    return bytes([255] * (value // 255) + [value % 255])


def pack_lz4(data):
    out, literals = bytearray(), bytearray()

    def sequence(length, distance):
        out.append(min(len(literals), 15) << 4 | (min(length - 4, 15) if length else 0))
        out.extend(lz4_number(len(literals) - 15) if len(literals) >= 15 else b"")
        out.extend(literals)
        literals.clear()
        if length:
            out.extend(struct.pack("<H", distance))
            out.extend(lz4_number(length - 4 - 15) if length - 4 >= 15 else b"")

    for length, value in tokens(data, 65535, 4, last=12):
        if length:
            sequence(length, value)
        else:
            literals.append(value)
    sequence(0, 0)
    return bytes(out)


# ---------------------------------------------------------------- the store

def trim(space, va):
    """Out of the working set: a transition entry (bit 11; SwizzleBit set), and the frame as it was."""
    space.evict(va, space.frame(va) * PAGE | 0x890)


Evicted = collections.namedtuple("Evicted", "process va number data how")


class Store:
    def __init__(self, system):
        self.system, self.recipe = system, system.recipe["store"]
        self.pagefile = self.recipe.get("pagefile", 2)
        with open(PLACES, "rb") as f:
            places = tomllib.load(f)
        self.at = next(b for b in places["build"] if b["first"] <= system.build <= b["last"])
        self.globals = self.place_globals(places["smglobals"].get(system.places.get("pdb")))
        self.owner = next(p for p in system.processes if p.name == OWNER)
        self.random = random.Random(system.build)
        self.pages = []           # (number, bytes, how)
        self.evicted = []         # of processes
        self.records = []         # (region key, length or None for a moved one and its chunk key)
        self.used = self.region_page = 0
        self.numbers = iter(range(0x1357, 1 << 27, 0x2F1))

    def place_globals(self, rva):
        """SmGlobals: where the PDB of this kernel says, else anywhere among its variables."""
        system = self.system
        if rva is None or not system.recipe.get("symbols", True) or "pdb_guid" in system.recipe:
            return system.symbol("SmGlobals", 0x200)
        va = system.labels.define("SmGlobals", system.base + rva)
        system.kernel.map(va & -PAGE, length=2 * PAGE)
        return va

    # ------------------------------------------------------------ which pages

    def evict(self, process, va, how):
        """Out of the process; its frame is somebody else's now. The entry: PageFileLow from bit 12, SwizzleBit set."""
        va &= -PAGE
        data = process.space.read(va, PAGE)
        number = next(self.numbers)
        pfn = process.space.evict(va, number << 32 | self.pagefile << 12 | 0x90)
        self.system.phys.page(pfn)[:] = b"\xdb" * PAGE
        self.pages.append((number, data, how))
        self.evicted.append(Evicted(process, va, number, data, how))

    def collect(self):
        for process in self.system.processes:
            for what, how in process.recipe.get("compressed", {}).items():
                self.evict(process, process.peb if what == "peb" else process.user["heap"], how)
            for thread in process.threads:
                for what, how in thread.recipe.get("compressed", {}).items():
                    self.evict(process, int(thread.truth["teb"], 16) + (PAGE if what == "teb2" else 0), how)
                    if how not in WHOLE:
                        self.forget(thread, TEB_KEYS[what])
                told = next(t for t in self.system.truth["threads"] if t["facts"] is thread.truth)
                told["compressed"] = list(thread.recipe.get("compressed", {}))
        for i in range(FILLERS):
            data = bytes(self.random.randrange(256) for _ in range(64 + i * 16)) * 64
            self.pages.append((next(self.numbers), data[:PAGE], "packed"))

    def forget(self, thread, keys):
        for key in keys:
            if key in thread.truth:
                thread.tell(key, None, ["compressed store"])

    # ------------------------------------------------------------ where their bytes go

    def pack(self, data, how):
        if how == "raw":
            return data
        packed = (pack_lz4 if self.at["packed"] == "lz4" else pack_xpress)(data)
        return packed if len(packed) < PAGE else data

    def put_bytes(self, data, how):
        """Into the regions, from a 16-byte boundary; a lost one has pages of its own. Returns the region key."""
        alone = how in ("lost", "trimmed")
        if alone or self.used % REGION + len(data) > REGION:
            self.used = -(-self.used // PAGE) * PAGE
        if self.used % REGION + len(data) > REGION:
            self.used = -(-self.used // REGION) * REGION
        key, va = self.used // 16, self.region(self.used // REGION) + self.used % REGION
        for page in range(va & -PAGE, va + len(data), PAGE):
            self.owner.space.map(page, self.system.frame_not_held() if how == "lost" else None)
        if how == "bad":
            data = b"\xff" * 12 + data[12:]
        if how != "lost":
            self.owner.space.write(va, data)
        if how == "trimmed":
            trim(self.owner.space, va)
        self.used += -(-len(data) // (PAGE if alone else 16)) * (PAGE if alone else 16)
        return key

    def region(self, number):
        return 0x1D0A3B40000 + number * 0x350000

    # ------------------------------------------------------------ trees

    def node(self, leaf, level, entries, left=0):
        va = self.take_page()
        body = b"".join(struct.pack("<II", k, v) if leaf else struct.pack("<IIQ", k, 0x5EED, v) for k, v in entries)
        self.system.kernel.write(va, struct.pack("<HBBIQ", len(entries), level, leaf, 0, left) + body)
        return va

    def tree(self, entries):
        """entries: (key, value, is it torn). A torn one has a leaf of its own, with its neighbour's key behind it."""
        leaves, run = [], []
        for key, value, torn in sorted(entries):
            if run and (torn or len(run) == LEAF):
                leaves.append(run)
                run = []
            run.append((key, value))
            if torn:
                leaves.append([(key, value), (key - 1, value)])
                run = []
        leaves += [run] if run else []
        level = 0
        nodes = [(leaf[0][0], self.node(1, 0, leaf)) for leaf in leaves]
        trim(self.system.kernel, nodes[1][1])
        while len(nodes) > 1:
            level += 1
            groups = [nodes[i:i + INNER + 1] for i in range(0, len(nodes), INNER + 1)]
            if len(groups[-1]) == 1:
                groups[-1].insert(0, groups[-2].pop())
            nodes = [(g[0][0], self.node(0, level, g[1:], g[0][1])) for g in groups]
        return nodes[0][1]

    def take_page(self):
        """Nodes, chunks and stores are pages; what is smaller is tagged as the store manager's blocks are (M)."""
        va = self.system.take_pages("pool", PAGE)
        self.system.kernel.map(va)
        return va

    def key(self, number):
        return number | (self.pagefile << 28 if self.at["number_in_key"] else 0)

    # ------------------------------------------------------------ records

    def chunk_key(self, i):
        return (i // PER_CHUNK + 1) << 3 | i % PER_CHUNK

    def put_chunks(self, smkm):
        """Chunk number n lies in the array of n's highest bit, at what is left of n."""
        kernel = self.system.kernel
        arrays = {}
        for first in range(0, len(self.records), PER_CHUNK):
            page, number = self.take_page(), first // PER_CHUNK + 1
            for i, (key, second) in enumerate(self.records[first:first + PER_CHUNK]):
                kernel.write(page + HEADER + i * RECORD, struct.pack("<II", key, second))
            high = number.bit_length() - 1
            if high not in arrays:
                arrays[high] = self.system.take("pool", 16 << high, "smBA")
            kernel.write(arrays[high] + (number ^ 1 << high) * 16, struct.pack("<QQ", page, 0x77))
        for high, va in arrays.items():
            kernel.write(smkm + 0x110 + 8 * high, struct.pack("<Q", va))
        kernel.write(smkm + 0x218, struct.pack("<IIIII", 3, PER_CHUNK - 1, RECORD, 0, HEADER))

    # ------------------------------------------------------------ all of it

    def fill(self):
        known, local = [], []
        for number, data, how in self.pages:
            packed = self.pack(data, how)
            place = (self.put_bytes(packed, how), len(packed))
            if how == "moved":
                self.records += [(0xFFFFFFFF, self.chunk_key(len(self.records) + 1)), place]
                chunk = self.chunk_key(len(self.records) - 2)
            else:
                self.records.append(place)
                chunk = self.chunk_key(len(self.records) - 1)
            if how != "unknown":
                known.append((self.key(number), 0x4000000 | INDEX, False))
            local.append((self.key(number), chunk, how == "torn"))
        return self.tree(known), self.tree(local)

    def make(self):
        system, kernel = self.system, self.system.kernel
        self.collect()
        global_tree, pages_tree = self.fill()
        smkm = system.take_pages("pool", 2 * PAGE)
        kernel.map(smkm, length=2 * PAGE)
        regions = system.take("pool", 64 * 8, "smRg")
        for i in range(self.used // REGION + 1):
            kernel.write(regions + 8 * i, struct.pack("<Q", self.region(i) | i % 3))
        for at, form, value in ((0x50, "<Q", pages_tree), (0x370, "<Q", smkm), (0x378, "<I", REGION // 16 - 1),
                                (0x37C, "<I", (REGION // 16).bit_length() - 1), (self.at["regions"], "<Q", regions),
                                (self.at["owner"], "<Q", self.owner.object.va)):
            kernel.write(smkm + at, struct.pack(form, value))
        if "format" in self.at:
            kernel.write(smkm + self.at["format"], struct.pack("<H", 3))
        self.put_chunks(smkm)
        self.put_manager(smkm, global_tree)
        self.put_paging_files()

    def set_variable(self, va, value):
        """In the kernel's data, also in the copies of its pages that a dump has."""
        data = struct.pack("<Q", value)
        self.system.kernel.write(va, data)
        if self.system.kernel.frame(va) in self.system.hidden:
            self.system.hidden_write(va, data)

    def put_manager(self, smkm, global_tree):
        system, kernel = self.system, self.system.kernel
        array = system.take("pool", 32 * 0x28, "smSa")
        kernel.write(array + INDEX * 0x28, struct.pack("<QQQQQ", smkm, 1, 2, self.owner.object.va, 3))
        if self.at.get("link"):
            self.manager = self.take_page()
            self.set_variable(self.globals + self.at["link"], self.manager + self.at["back"])
        else:
            self.manager = self.globals
        self.set_variable(self.manager, array)
        self.set_variable(self.manager + 0x1C0, global_tree)

    def put_paging_files(self):
        """MiSystemPartition.Vp.PagingFile: pool blocks tagged "Mm  "."""
        system, kernel = self.system, self.system.kernel
        array = system.symbol("PagingFile", 16 * 8)
        for number in range(self.pagefile + 1):
            file = system.take("pool", 0x140, "Mm  ")
            kernel.write(file + 0xCC, struct.pack("<H", number | (0x40 if number == self.pagefile else 0) | 0x80))
            self.set_variable(array + 8 * number, file)


def make(system):
    if "store" in system.recipe:
        system.store = Store(system)
        system.store.make()
