# SPDX-License-Identifier: MIT
"""Handle tables: those of the processes, and PspCidTable, whose handles are the ids of processes and threads.

An entry until 7 holds the address of an object header, its low three bits flags, the lowest set while it is not
locked; PspCidTable's hold the address of the body. From 8 on the address is packed into ObjectPointerBits, whose place
and width the fact tables know; five-level kernels begin them at bit 11 (facts/windows/REPORT.md section 6, items 2 and
3). The first entry of each page is no handle. The low bits of TableCode say how many levels stand above the entries.
"""
import struct

from synth import PAGE

LA57_SHIFT = 11
INHERIT = 2  # OBJ_INHERIT in an entry's attributes


class Table:
    def __init__(self, system, pid, owner=0):
        self.system, self.pid, self.owner = system, pid, owner
        self.known = "_HANDLE_TABLE" in system.places["structs"]
        self.object = None
        if self.known:
            self.object = system.object(system.take("paged", system.struct_size("_HANDLE_TABLE"), "Obtb"),
                                        "_HANDLE_TABLE")
            system.handle_tables.append(self)
        self.entries = {}
        self.entry = 2 * system.pointer
        self.page = PAGE // self.entry

    @property
    def va(self):
        return self.object.va if self.known else 0

    def add(self, address, access=0, attributes=0, handle=None):
        """The handle: the given one, else the next free."""
        if not self.known:
            return 0
        if handle is None:
            index = max(self.entries, default=0) + 1
            handle = 4 * (index + (index % self.page == 0))
        if handle // 4 % self.page == 0:
            raise ValueError(f"{handle:#x} cannot be a handle: the first entry of each page is none")
        self.entries[handle // 4] = (address, access, attributes)
        return handle

    # ------------------------------------------------------------ writing

    def write(self):
        """The pages of entries, their parents, and the table itself."""
        if not self.known:
            return
        o, count = self.object, max(self.entries, default=0) // self.page + 1
        pages = [self._leaf(number) for number in range(count)]
        level = 0
        while len(pages) > 1:
            wide = PAGE // self.system.pointer
            pages = [self._directory(pages[i:i + wide]) for i in range(0, len(pages), wide)]
            level += 1
        o.put("TableCode", pages[0] | level)
        o.put("UniqueProcessId", self.pid)
        o.put("QuotaProcess", self.owner)
        o.put("HandleCount", len(self.entries))
        o.put("NextHandleNeedingPool", 4 * self.page * count)

    def _page(self):
        return self.system.pools["paged"].take_large(PAGE, "Obtb")

    def _directory(self, pages):
        va = self._page()
        for i, page in enumerate(pages):
            self.system.labels.put(self.system.kernel, va + i * self.system.pointer, self.system.pointer, page)
        return va

    def _leaf(self, number):
        va = self._page()
        first = number * self.page
        for index in range(first, first + self.page):
            if index in self.entries:
                data = self._packed(*self.entries[index])
            else:
                data = self._free(va, index)
            self.system.kernel.write(va + (index - first) * self.entry, data)
        return va

    def _free(self, va, index):
        """No object; what follows leads to the next free entry."""
        pointer = self.system.pointer
        after = 4 * (index + 1) if self.has("Object") else va + (index % self.page + 1) % self.page * self.entry
        return bytes(pointer) + after.to_bytes(pointer, "little")

    def has(self, member):
        return member in self.system.places["structs"]["_HANDLE_TABLE_ENTRY"]["members"]

    def _packed(self, address, access, attributes):
        if self.has("Object"):
            word = address | attributes | 1
            return word.to_bytes(self.system.pointer, "little") + access.to_bytes(self.system.pointer, "little")
        low = self._bits("Unlocked", 1) | self._bits("Attributes", attributes >> 1) | self._object_bits(address)
        high = access & 0x1FFFFFF
        if self.system.pointer == 4:
            return struct.pack("<II", low, high)
        return struct.pack("<QQ", low | self._references(), high)

    def _bits(self, member, value):
        place = self.system.places["structs"]["_HANDLE_TABLE_ENTRY"]["members"][member]
        bit = place[2]
        if self.system.mode == "la57" and member == "Attributes":
            bit = 8
        return value << bit

    def _references(self):
        """Behind the lowest bit: cached references, half of what the field holds, less some."""
        length = self.system.places["structs"]["_HANDLE_TABLE_ENTRY"]["members"]["RefCnt"][3]
        if self.system.mode == "la57":
            length = 7
        return (1 << length - 1) - 3 << 1

    def _object_bits(self, address):
        bit, length = self.system.places["structs"]["_HANDLE_TABLE_ENTRY"]["members"]["ObjectPointerBits"][2:]
        if self.system.mode == "la57":
            bit, length = LA57_SHIFT, 64 - LA57_SHIFT
        shift = 4 if self.system.pointer == 8 else 3
        return (address >> shift & (1 << length) - 1) << bit


class OldTable:
    """A table of NT 4.0 (one array, its free entries in a ring through it) or of 2000 (three levels of 256, the highest
    bit of a pointer its lock); src/os/windows/handle_table.h tells who says so. A process's has its owner and its id
    where 2000 has them (JIURL plays Win2k, HANDLE_TABLE)."""
    known = True

    def __init__(self, system, pid=0, owner=0):
        self.system, self.pid, self.owner, self.entries = system, pid, owner, {}
        self.va = system.take("pool", 0x6C, "Obtb")
        if self.known:
            system.handle_tables.append(self)

    def add(self, address, access=0, attributes=0, handle=None):
        """The handle: the given one, else the next free."""
        index = max(self.entries, default=0) + 1 if handle is None else self._index(handle)
        self.entries[index] = (address | attributes, access)
        return 4 * index

    def _index(self, handle):
        return handle // 4

    def write(self):
        (self._array if self.system.build < 2000 else self._layers)()

    def _words(self, at, *values):
        self.system.kernel.write(at, struct.pack(f"<{len(values)}I", *values))

    def _pages(self, length):
        va = self.system.take_pages("paged", length)
        self.system.kernel.map(va, length=-(-length // PAGE) * PAGE)
        return va

    def _array(self):
        count = max(self.entries, default=0) + 20
        begin = self._pages(8 * count + 8) + 8
        self._words(self.va + 0xC, begin, begin + 8 * count, len(self.entries))
        free = [i for i in range(count) if i not in self.entries]  # the first one is the head
        for n, i in enumerate(free):
            self._words(begin + 8 * i, begin + 8 * free[(n + 1) % len(free)], begin + 8 * free[n - 1])
        for i, (address, access) in self.entries.items():
            self._words(begin + 8 * i, address, access)

    def _layers(self):
        top = self._pages(0x400)
        self._words(self.va, 0, len(self.entries), top, self.owner, self.pid)
        middles, leaves = {}, {}
        for index in sorted(self.entries):
            middle, leaf = index >> 16, index >> 8
            if middle not in middles:
                middles[middle] = self._pages(0x400)
                self._words(top + 4 * middle, middles[middle])
            if leaf not in leaves:
                leaves[leaf] = self._pages(0x800)
                self._words(middles[middle] + 4 * (leaf & 0xFF), leaves[leaf])
                for i in range(0x100):
                    self._words(leaves[leaf] + 8 * i, 0, leaf << 8 | i + 1)
            address, access = self.entries[index]
            address = address if index % 3 else address & 0x7FFFFFFF
            self._words(leaves[leaf] + 8 * (index & 0xFF), address, access)


class OldIds(OldTable):
    """PspCidTable; the ids of NT 4.0 count its entries."""
    known = False

    def _index(self, handle):
        return handle if self.system.build < 2000 else handle // 4


def of_process(system, pid, owner):
    return (OldTable if system.build < 2600 else Table)(system, pid, owner)


def link_tables(system):
    """HandleTableListHead: the tables of the processes, not PspCidTable."""
    tables = [t.object.at("HandleTableList") for t in system.handle_tables if t is not system.cid]
    if tables:
        system.link(system.symbol("HandleTableListHead", 2 * system.pointer), tables)
